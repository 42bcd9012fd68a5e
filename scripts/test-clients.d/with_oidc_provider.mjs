// Sign-in at another OpenID provider: npm oidc-provider on this computer, the gateway as its client.
//   node with_oidc_provider.mjs amanat config.toml
// Starts the provider, then `amanat serve` with it configured, and walks through both by plain HTTP.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import fs from "node:fs";
import Provider from "oidc-provider";

const [binary, config] = process.argv.slice(2);
const settings = fs.readFileSync(config, "utf8");
const base = settings.match(/^base_url = "(.+)"/m)[1];
const origin = new URL(base).origin;
const issuer = "http://127.0.0.1:8767";

const provider = new Provider(issuer, {
  clients: [{ client_id: "amanat", client_secret: "a secret between the two", redirect_uris: [`${origin}/sign-in/back`] }],
  claims: { openid: ["sub", "fhirUser", "name"] },
  conformIdTokenClaims: false,
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, fhirUser: "Practitioner/demo-practitioner", name: "Dr Provider" }) }),
});
const listening = provider.listen(8767, "127.0.0.1");

const of = (name, value) => [`AMANAT_SMART__PROVIDERS__0__${name}`, value];
const environment = Object.fromEntries([
  of("ID", "local"), of("NAME", "A provider"), of("ISSUER", issuer), of("CLIENT_ID", "amanat"),
  of("CLIENT_SECRET", "a secret between the two"), of("TAKES_ON", "true"),
]);
const gateway = spawn(binary, ["serve", "--config", config], { env: { ...process.env, ...environment }, stdio: ["ignore", "ignore", "inherit"] });

// A browser in a few lines.
const jar = new Map();
async function go(url, form) {
  const host = new URL(url).host;
  const cookies = [...jar].filter(([key]) => key.startsWith(`${host} `)).map(([key, value]) => `${key.split(" ")[1]}=${value}`);
  const options = { redirect: "manual", headers: { Cookie: cookies.join("; ") } };
  const reply = await fetch(url, form ? { ...options, method: "POST", body: new URLSearchParams(form) } : options);
  for (const line of reply.headers.getSetCookie()) {
    const [name, value] = line.split(";")[0].split(/=(.*)/);
    jar.set(`${host} ${name}`, value);
  }
  const next = reply.headers.get("location");
  return next ? go(new URL(next, url)) : { url: String(url), text: await reply.text(), status: reply.status };
}

try {
  for (let tried = 0; ; tried += 1) {
    const up = await fetch(`${base}/metadata`).then((reply) => reply.ok, () => false);
    if (up) break;
    assert.ok(tried < 100, "the gateway does not come up");
    await new Promise((wait) => setTimeout(wait, 200));
  }
  let page = await go(`${origin}/sign-in`);
  const link = page.text.match(/id="provider-local" href="([^"]+)"/)[1];
  page = await go(new URL(link, origin));
  // The provider's own pages for development: any name, then what the gateway may know.
  for (let step = 0; step < 3 && page.url.startsWith(issuer); step += 1) {
    const action = page.text.match(/action="([^"]+)"/)[1];
    const prompt = page.text.match(/name="prompt" value="([^"]+)"/)[1];
    page = await go(new URL(action, page.url), prompt === "login" ? { prompt, login: "sana", password: "any" } : { prompt });
  }
  assert.equal(page.url, `${origin}/account`, page.text);
  assert.match(page.text, /Dr Provider/);
  console.log("oidc-provider: signed in, taken on as Practitioner/demo-practitioner");
} finally {
  gateway.kill();
  listening.close();
}
