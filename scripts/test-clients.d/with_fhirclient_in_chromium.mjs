// The SMART JavaScript client (npm fhirclient) in a real browser, through the real pages: standalone launch, refresh, consent taken back in
// part, disconnecting the app. Afterwards every page is looked at by axe-core and, with SCREENSHOTS=folder, photographed.
//   node with_fhirclient_in_chromium.mjs demo.json path/to/fhir-client.min.js
import assert from "node:assert/strict";
import crypto from "node:crypto";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { chromium } from "playwright-core";

const [demoFile, library] = process.argv.slice(2);
const demo = JSON.parse(fs.readFileSync(demoFile, "utf8"));
const { patient, clinician } = demo.users;
const axe = fs.readFileSync(new URL("./axe.min.js", import.meta.url), "utf8");
const folder = process.env.SCREENSHOTS;

// The app: two pages on its own origin.
const config = (scope) =>
  JSON.stringify({ clientId: "app", scope, iss: demo.base, redirectUri: "http://127.0.0.1:8765/callback", pkceMode: "required" });
const pages = {
  "/": (query) => `<script src="/fhir.js"></script><script>FHIR.oauth2.authorize(${config(query.get("scope"))})</script>`,
  "/launch": () => `<script src="/fhir.js"></script><script>FHIR.oauth2.authorize(${config("launch openid fhirUser patient/Patient.read")})</script>`,
  "/callback": () => `<script src="/fhir.js"></script><pre id="told"></pre><script>
    FHIR.oauth2.ready().then(async (client) => {
      window.client = client;
      const patient = await client.patient.read();
      const told = { patient: patient.id, type: patient.resourceType, token: client.state.tokenResponse, user: client.getFhirUser() };
      document.getElementById("told").textContent = JSON.stringify(told);
    }).catch((error) => { document.getElementById("told").textContent = JSON.stringify({ error: String(error) }); })</script>`,
};
const app = http.createServer((request, response) => {
  const url = new URL(request.url, "http://127.0.0.1:8765");
  if (url.pathname === "/fhir.js") return response.end(fs.readFileSync(library));
  const page = pages[url.pathname];
  response.setHeader("Content-Type", "text/html");
  response.end(page ? page(url.searchParams) : "");
});
await new Promise((ready) => app.listen(8765, "127.0.0.1", ready));

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });

async function visitor(options = {}) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, ...options });
  const page = await context.newPage();
  const foreign = [];
  page.on("request", (request) => {
    const { origin } = new URL(request.url());
    if (![new URL(demo.base).origin, "http://127.0.0.1:8765"].includes(origin)) foreign.push(request.url());
  });
  const complaints = [];
  const noise = (message) => message.location().url.endsWith("/favicon.ico");
  page.on("console", (message) => message.type() === "error" && !noise(message) && complaints.push(message.text()));
  return { context, page, foreign, complaints };
}

const findings = [];

async function look(page, name) {
  await page.evaluate(axe);
  const tags = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"];
  const found = await page.evaluate((tags) => axe.run({ runOnly: tags }), tags);
  const wrong = found.violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html).join(" ")}`);
  findings.push(...wrong.map((one) => `${name}: ${one}`));
  const wide = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
  if (wide) findings.push(`${name} scrolls sideways`);
  if (folder) await page.screenshot({ path: path.join(folder, `${name}.png`), fullPage: true });
}

async function signIn(page, user) {
  await page.fill("#username", user.username);
  await page.fill("#password", user.password);
  await page.click("#continue");
}

async function told(page) {
  await page.waitForFunction(() => document.getElementById("told")?.textContent.length > 0);
  const told = JSON.parse(await page.textContent("#told"));
  assert.equal(told.error, undefined, told.error);
  return told;
}

// Standalone launch of a patient, with a scope of version 1, then a refresh without client_id.
{
  const { page, context, foreign, complaints } = await visitor();
  const scope = "launch/patient openid fhirUser offline_access patient/Patient.read patient/Observation.read";
  await page.goto(`http://127.0.0.1:8765/?scope=${encodeURIComponent(scope)}`);
  await page.waitForSelector("#sign-in");
  await signIn(page, patient);
  await page.waitForSelector("#consent");
  await page.click("#allow");
  const first = await told(page);
  assert.equal(`Patient/${first.patient}`, patient.fhirUser);
  assert.ok(first.token.refresh_token && first.token.id_token);
  assert.ok(first.user.endsWith(patient.fhirUser), first.user);
  const next = await page.evaluate(() => window.client.refresh().then((state) => state.tokenResponse));
  assert.notEqual(next.access_token, first.token.access_token);
  const observations = await page.evaluate(() => window.client.request("Observation?_count=2").then((bundle) => bundle.resourceType));
  assert.equal(observations, "Bundle");
  console.log(`standalone: ${first.patient}, refreshed, ${foreign.length} foreign requests`);
  assert.deepEqual(foreign, []);
  assert.deepEqual(complaints, []);

  // The patient takes it back; the app is cut off at once.
  await page.goto(`${new URL(demo.base).origin}/account`);
  await look(page, "account-en-light");
  await page.click(".disconnect");
  await page.waitForSelector("#ended");
  const status = (await fetch(`${demo.base}/Patient/${first.patient}`, { headers: { Authorization: `Bearer ${next.access_token}` } })).status;
  assert.equal(status, 401);
  console.log("disconnected: 401 on the next request");
  await context.close();
}

// A clinician looks for a patient and leaves vital signs only.
{
  const { page, context } = await visitor();
  await page.goto(`http://127.0.0.1:8765/?scope=${encodeURIComponent("launch/patient patient/Patient.rs patient/Observation.rs")}`);
  await signIn(page, clinician);
  await page.waitForSelector("#patients");
  await look(page, "patients-en-light");
  await page.click("#patients button.row >> nth=0");
  await page.waitForSelector("#consent");
  await page.click("#parts-s1 summary");
  for (const tick of await page.$$("#parts-s1 input")) {
    if (!(await tick.evaluate((one) => one.closest("label").textContent.includes("vital")))) await tick.uncheck();
  }
  await look(page, "consent-parts-en-light");
  await page.click("#allow");
  const granted = (await told(page)).token.scope;
  assert.match(granted, /patient\/Observation\.rs\?category=\S+\|vital-signs/);
  assert.ok(!granted.split(" ").includes("patient/Observation.rs"));
  console.log(`narrowed: ${granted}`);
  await context.close();
}

// A launch from the EHR of the developer's corner.
{
  const { page, context } = await visitor();
  const origin = new URL(demo.base).origin;
  await page.goto(`${origin}/sign-in`);
  await signIn(page, clinician);
  await page.goto(`${origin}/demo`);
  await look(page, "corner-en-light");
  await page.selectOption("#client", "app");
  await page.fill("#patient", patient.fhirUser.split("/")[1]);
  await page.fill("#intent", "reconcile-medications");
  await page.click("#start");
  await page.waitForSelector("#consent");
  await page.click("#allow");
  const { token, patient: id } = await told(page);
  assert.equal(`Patient/${id}`, patient.fhirUser);
  assert.equal(token.need_patient_banner, true);
  assert.equal(token.intent, "reconcile-medications");
  assert.ok((await (await fetch(token.smart_style_url)).json()).color_background);
  console.log(`launched from the EHR: ${id}, ${token.intent}`);
  await context.close();
}

// A passkey, with the browser's own virtual authenticator: made while signed in, used instead of a password, given up again.
{
  const { page, context, complaints } = await visitor();
  const origin = new URL(demo.base).origin;
  const session = await context.newCDPSession(page);
  await session.send("WebAuthn.enable");
  const options = { protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true };
  await session.send("WebAuthn.addVirtualAuthenticator", { options });
  await page.goto(`${origin}/sign-in`);
  await signIn(page, clinician);
  await page.click("#add-passkey");
  await page.fill("#name", "a virtual key");
  await look(page, "passkey-en-light");
  await page.click("#continue");
  await page.waitForSelector("text=a virtual key");
  await page.click("#sign-out");
  await page.waitForSelector("#use-passkey");
  await page.click("#use-passkey");
  await page.waitForSelector("text=a virtual key");
  await look(page, "account-passkey-en-light");
  await page.click("text=Remove");
  await page.waitForSelector("#no-passkeys");
  assert.deepEqual(complaints, []);
  console.log("passkey: made, signed in with, given up");
  await context.close();
}

// An app with an https address (a page that is there anyway), which a person may wish not to be asked about again.
const origin = new URL(demo.base).origin;
const at = `${origin}/developers`;
let long;
{
  const { page, context } = await visitor();
  await page.goto(`${origin}/demo`);
  await page.fill("#app-name", "Long Walk");
  await page.fill("#redirect-uri", at);
  await page.click("#register-app");
  long = await page.textContent("#client-id");
  await context.close();
}
const asking = new URLSearchParams({
  response_type: "code", client_id: long, redirect_uri: at, scope: "launch/patient patient/Patient.rs patient/Observation.rs", state: "s",
  aud: demo.base, code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", code_challenge_method: "S256",
});

// Every page in both languages, light and dark, on a phone and on a desk, without JavaScript errors or WCAG findings.
for (const locale of ["en", "ur"]) {
  for (const colorScheme of ["light", "dark"]) {
    for (const [kind, viewport] of [["phone", { width: 360, height: 740 }], ["desk", { width: 1280, height: 800 }]]) {
      const { page, context } = await visitor({ locale, colorScheme, viewport });
      const name = (what) => `${what}-${locale}-${colorScheme}-${kind}`;
      await page.goto(`http://127.0.0.1:8765/?scope=${encodeURIComponent("launch/patient openid fhirUser offline_access patient/*.rs")}`);
      await page.waitForSelector("#sign-in");
      await look(page, name("sign-in"));
      await signIn(page, { username: "patient", password: "wrong" });
      await page.waitForSelector("#fault");
      await signIn(page, patient);
      await page.waitForSelector("#consent");
      await look(page, name("consent"));
      await page.click("#refuse");
      await page.goto(`${origin}/authorize?client_id=nobody`);
      await look(page, name("wrong"));
      await page.goto(`${origin}/account/phone`);
      await look(page, name("second-factor"));
      // The same app once more: allowed for long, then without the page, then asked again.
      await page.goto(`${origin}/authorize?${asking}`);
      await page.waitForSelector("#remember");
      await look(page, name("consent-remember"));
      await page.check("#remember");
      await page.click("#allow");
      await page.waitForURL(/code=/);
      await page.goto(`${origin}/authorize?${asking}`);
      assert.ok(new URL(page.url()).searchParams.get("code"), "not asked again");
      await page.goto(`${origin}/account`);
      await look(page, name("account"));
      await page.click(".ask-again");
      await page.goto(`${origin}/authorize?${asking}`);
      await page.waitForSelector("#remember");
      await page.goto(`${origin}/developers`);
      await look(page, name("developers"));
      await context.close();
    }
  }
}

// A phone as second factor, with its codes (RFC 6238), then the page that asks for one and the choice of a patient.
function totp(secret) {
  const bits = [...secret].map((c) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30000)));
  const mac = crypto.createHmac("sha1", key).update(step).digest();
  return String((mac.readUInt32BE(mac[19] & 15) & 0x7fffffff) % 1e6).padStart(6, "0");
}
let recovery;
{
  const { page, context } = await visitor();
  await page.goto(`${origin}/sign-in`);
  await signIn(page, clinician);
  await page.goto(`${origin}/account/phone`);
  await page.fill("#code", totp(await page.textContent("#secret")));
  await page.click("#continue");
  await page.waitForSelector("#recovery");
  recovery = await page.$$eval("#recovery code", (all) => all.map((one) => one.textContent));
  await look(page, "recovery-en-light");
  await context.close();
}
for (const locale of ["en", "ur"]) {
  for (const colorScheme of ["light", "dark"]) {
    for (const [kind, viewport] of [["phone", { width: 360, height: 740 }], ["desk", { width: 1280, height: 800 }]]) {
      const { page, context } = await visitor({ locale, colorScheme, viewport });
      const name = (what) => `${what}-${locale}-${colorScheme}-${kind}`;
      await page.goto(`http://127.0.0.1:8765/?scope=${encodeURIComponent("launch/patient patient/Patient.rs")}`);
      await page.waitForSelector("#sign-in");
      await signIn(page, clinician);
      await page.waitForSelector("#code");
      await look(page, name("code"));
      await page.fill("#code", recovery.pop());
      await page.click("#continue");
      await page.waitForSelector("#patients");
      await look(page, name("patients"));
      await context.close();
    }
  }
}
assert.deepEqual([...new Set(findings)], []);
console.log("pages: both languages, light and dark, phone and desk: no finding of axe-core");
await browser.close();
app.close();
