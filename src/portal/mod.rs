//! Pages for people: what the gateway's steps look like. Rendered here from what `gateway` says, sent by `http`. No page needs a script
//! but those of passkeys, none names anything outside the gateway.

mod browser;
mod english;
mod pages;
mod urdu;
mod words;

pub use pages::{Page, page};
pub use words::{Language, Words};

/// The one style sheet.
pub const STYLE: &str = include_str!("pages/portal.css");

/// Where it is served; the number changes with it.
pub const STYLE_PATH: &str = "/assets/portal-2.css";

/// The one script: passkeys.
pub const SCRIPT: &str = include_str!("passkey.js");

/// Where it is served; the number changes with it.
pub const SCRIPT_PATH: &str = "/assets/passkey-1.js";

/// The mark in the tab of the browser.
pub const ICON: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="4" fill="#0b57d0"/><path d="M8 3l4 1.6v3.2c0 2.6-1.7 4.4-4 5.2-2.3-.8-4-2.6-4-5.2V4.6z" fill="#fff"/></svg>"##;

/// Where it is served.
pub const ICON_PATH: &str = "/assets/icon-1.svg";

/// The colours and measures of the pages, for apps that are opened from them (SMART App Launch 2.2, "Styling").
pub const SMART_STYLE: &str = r##"{"color_background":"#ffffff","color_error":"#8c1d18","color_highlight":"#0b57d0","color_modal_backdrop":"#1b1b1f","color_success":"#14532d","color_text":"#1b1b1f","dim_border_radius":"8px","dim_font_size":"16px","dim_spacing_size":"16px","font_family_body":"system-ui, sans-serif","font_family_heading":"system-ui, sans-serif"}"##;

/// Where they are told.
pub const SMART_STYLE_PATH: &str = crate::smart::STYLE_PATH;
