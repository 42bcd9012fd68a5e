// openid-client (code flow with PKCE through the real pages, by plain HTTP) and oauth4webapi (Backend Services with ES384).
//   node with_openid_client.mjs demo.json
import assert from "node:assert/strict";
import fs from "node:fs";
import * as client from "openid-client";
import * as oauth from "oauth4webapi";

const demo = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const issuer = new URL(demo.base);
const redirect = demo.clients.app.redirect_uri;

// A browser in a few lines: cookies, forms, and redirects inside the gateway.
const jar = new Map();
async function go(url, form) {
  const headers = { Cookie: [...jar].map(([name, value]) => `${name}=${value}`).join("; ") };
  const reply = await fetch(url, { redirect: "manual", headers, method: form ? "POST" : "GET", body: form ? new URLSearchParams(form) : undefined });
  for (const line of reply.headers.getSetCookie()) {
    const [name, value] = line.split(";")[0].split(/=(.*)/);
    jar.set(name, value);
  }
  const next = reply.headers.get("location");
  if (next && next.startsWith("/")) return go(new URL(next, issuer));
  return { next, text: await reply.text() };
}
const hidden = (text, action) => {
  const form = text.split(`action="${action}"`)[1].split("</form>")[0];
  return [...form.matchAll(/type="hidden" name="([^"]+)" value="([^"]+)"/g)].map(([, name, value]) => [name, value]);
};

const config = await client.discovery(issuer, "app", undefined, client.None());
const verifier = client.randomPKCECodeVerifier();
const [state, nonce] = [client.randomState(), client.randomNonce()];
const url = client.buildAuthorizationUrl(config, {
  redirect_uri: redirect,
  scope: "openid fhirUser offline_access patient/Patient.rs",
  code_challenge: await client.calculatePKCECodeChallenge(verifier),
  code_challenge_method: "S256",
  aud: demo.base,
  state,
  nonce,
});
let page = await go(url);
const { username, password } = demo.users.patient;
page = await go(new URL("/sign-in", issuer), [...hidden(page.text, "/sign-in"), ["username", username], ["password", password]]);
const ticks = [...page.text.matchAll(/name="allow" value="([^"]+)"/g)].map(([, value]) => ["allow", value]);
page = await go(new URL("/authorize/answer", issuer), [...hidden(page.text, "/authorize/answer"), ...ticks, ["answer", "allow"]]);

const tokens = await client.authorizationCodeGrant(config, new URL(page.next), { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true });
assert.ok(tokens.claims().fhirUser.endsWith(demo.users.patient.fhirUser));
const info = await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub);
assert.equal(info.fhirUser, tokens.claims().fhirUser);
const next = await client.refreshTokenGrant(config, tokens.refresh_token);
assert.notEqual(next.access_token, tokens.access_token);
await client.tokenRevocation(config, next.refresh_token);
const after = await fetch(`${demo.base}/${demo.users.patient.fhirUser}`, { headers: { Authorization: `Bearer ${next.access_token}` } });
assert.equal(after.status, 401);
console.log(`openid-client: ${tokens.claims().fhirUser}, user info, refreshed, revoked`);

// Backend Services, ES384.
const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer));
const { jwk, client_id } = demo.clients.hospital;
const key = await crypto.subtle.importKey("jwk", { ...jwk, key_ops: ["sign"] }, { name: "ECDSA", namedCurve: "P-384" }, false, ["sign"]);
const typed = { [oauth.modifyAssertion]: (header, payload) => { header.typ = "JWT"; payload.aud = server.token_endpoint; } };
const auth = oauth.PrivateKeyJwt({ key, kid: jwk.kid }, typed);
const reply = await oauth.clientCredentialsGrantRequest(server, { client_id }, auth, { scope: "system/Patient.rs" });
const backend = await oauth.processClientCredentialsResponse(server, { client_id }, reply);
assert.equal(backend.scope, "system/Patient.rs");
assert.equal(backend.refresh_token, undefined);
const asked = await oauth.introspectionRequest(server, { client_id }, auth, backend.access_token);
const seen = await oauth.processIntrospectionResponse(server, { client_id }, asked);
assert.equal(seen.active, true);
console.log(`oauth4webapi: Backend Services with ${jwk.alg}, introspected: ${seen.scope}`);

// The same app with a key of its own: tokens bound by DPoP, each request with a proof, a pushed request before it all.
{
  const bound = await client.discovery(issuer, "app", undefined, client.None());
  const keys = await client.randomDPoPKeyPair("ES256");
  const handle = client.getDPoPHandle(bound, keys);
  const verifier = client.randomPKCECodeVerifier();
  const state = client.randomState();
  const url = await client.buildAuthorizationUrlWithPAR(bound, {
    redirect_uri: redirect,
    scope: "openid fhirUser offline_access patient/Patient.rs",
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    aud: demo.base,
    state,
  }, { DPoP: handle });
  let page = await go(url);
  if (page.text.includes('id="password"')) {
    page = await go(new URL("/sign-in", issuer), [...hidden(page.text, "/sign-in"), ["username", username], ["password", password]]);
  }
  const ticks = [...page.text.matchAll(/name="allow" value="([^"]+)"/g)].map(([, value]) => ["allow", value]);
  page = await go(new URL("/authorize/answer", issuer), [...hidden(page.text, "/authorize/answer"), ...ticks, ["answer", "allow"]]);
  const tokens = await client.authorizationCodeGrant(bound, new URL(page.next), { pkceCodeVerifier: verifier, expectedState: state }, undefined, { DPoP: handle });
  assert.equal(tokens.token_type, "dpop");
  const own = new URL(`${demo.base}/${demo.users.patient.fhirUser}`);
  const seen = await client.fetchProtectedResource(bound, tokens.access_token, own, "GET", undefined, undefined, { DPoP: handle });
  assert.equal(seen.status, 200);
  const stolen = await fetch(own, { headers: { Authorization: `Bearer ${tokens.access_token}` } });
  assert.equal(stolen.status, 401);
  const again = await client.refreshTokenGrant(bound, tokens.refresh_token, undefined, { DPoP: handle });
  assert.equal(again.token_type, "dpop");
  console.log("openid-client: pushed, bound by DPoP, read, refreshed; a stolen token is refused");
}
