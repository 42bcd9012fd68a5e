// The one script of the pages: passkeys. Everything else works without it.
const text = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));

const form = document.getElementById("passkey");

async function ask() {
  const body = new URLSearchParams({ form_token: form.elements.form_token.value });
  const answer = await fetch("/passkeys/challenge", { method: "POST", body, credentials: "same-origin" });
  if (!answer.ok) throw new Error("no challenge");
  return answer.json();
}

async function use(told) {
  const publicKey = { challenge: bytes(told.challenge), rpId: told.rpId, userVerification: "required", timeout: 120000 };
  const { id, response } = await navigator.credentials.get({ publicKey });
  return {
    id,
    user: response.userHandle ? new TextDecoder().decode(response.userHandle) : "",
    client_data: text(response.clientDataJSON),
    authenticator_data: text(response.authenticatorData),
    signature: text(response.signature),
  };
}

async function make(told) {
  const publicKey = {
    challenge: bytes(told.challenge),
    rp: { id: told.rpId, name: told.rpName },
    user: { ...told.user, id: new TextEncoder().encode(told.user.id) },
    pubKeyCredParams: told.algorithms,
    excludeCredentials: told.known.map((id) => ({ type: "public-key", id: bytes(id) })),
    authenticatorSelection: { residentKey: "required", userVerification: "required" },
    attestation: "none",
    timeout: 120000,
  };
  const { response } = await navigator.credentials.create({ publicKey });
  return { client_data: text(response.clientDataJSON), attestation: text(response.attestationObject) };
}

if (form && window.PublicKeyCredential) {
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const fault = document.getElementById("passkey-fault");
    fault.hidden = true;
    try {
      const told = await ask();
      const fields = await (form.dataset.way === "make" ? make(told) : use(told));
      for (const [name, value] of Object.entries({ ...fields, challenge: told.challenge })) form.elements[name].value = value;
      form.submit();
    } catch (error) {
      fault.hidden = false;
      fault.focus();
    }
  });
}
