// Reads, searches, creates, updates, patches and deletes with fhir-kit-client (https://www.npmjs.com/package/fhir-kit-client).
import assert from "node:assert/strict";
import fs from "node:fs";
import { Client } from "fhir-kit-client";

async function main() {
  const demo = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
  const client = new Client({ baseUrl: demo.base, bearerToken: demo.tokens.hospital });

  const statement = await client.capabilityStatement();
  assert.equal(statement.fhirVersion, "4.0.1");
  const smart = await client.smartAuthMetadata();
  assert.ok(String(smart.tokenUrl).endsWith("/token"), JSON.stringify(smart));
  console.log(`capabilities: FHIR ${statement.fhirVersion}, tokens at ${smart.tokenUrl}`);

  let page = await client.search({ resourceType: "Patient", searchParams: { _count: 4, _total: "accurate" } });
  const total = page.total;
  const ids = [];
  while (page) {
    ids.push(...(page.entry ?? []).map((entry) => entry.resource.id));
    page = await client.nextPage({ bundle: page });
  }
  assert.ok(total >= 15);
  assert.equal(new Set(ids).size, total);
  console.log(`searched: ${total} patients over all pages`);

  const patient = await client.read({ resourceType: "Patient", id: ids[0] });
  assert.equal(patient.id, ids[0]);
  console.log(`read: Patient/${patient.id}`);

  const body = {
    resourceType: "Observation",
    status: "final",
    code: { coding: [{ system: "http://loinc.org", code: "718-7" }] },
    subject: { reference: `Patient/${patient.id}` },
    valueQuantity: { value: 13.2, unit: "g/dL" },
  };
  const created = await client.create({ resourceType: "Observation", body });
  assert.ok(created.id);
  const posted = await client.search({
    resourceType: "Observation",
    searchParams: { _id: created.id, subject: `Patient/${patient.id}`, _include: "Observation:subject" },
    options: { postSearch: true },
  });
  assert.deepEqual(posted.entry.map((entry) => entry.resource.resourceType).sort(), ["Observation", "Patient"]);
  console.log(`created and found: Observation/${created.id}`);

  const updated = await client.update({ resourceType: "Observation", id: created.id, body: { ...created, status: "amended" } });
  assert.equal(updated.meta.versionId, "2");
  const patched = await client.patch({
    resourceType: "Observation",
    id: created.id,
    jsonPatch: [{ op: "replace", path: "/status", value: "corrected" }],
  });
  assert.equal(patched.status, "corrected");
  const first = await client.vread({ resourceType: "Observation", id: created.id, version: "1" });
  assert.equal(first.status, "final");
  const history = await client.history({ resourceType: "Observation", id: created.id });
  assert.equal(history.entry.length, 3);
  console.log("updated, patched, and read its history");

  const transaction = await client.transaction({
    body: {
      resourceType: "Bundle",
      type: "transaction",
      entry: [{ resource: body, request: { method: "POST", url: "Observation" } }],
    },
  });
  assert.match(transaction.entry[0].response.status, /^201/);
  await client.delete({ resourceType: "Observation", id: created.id });
  await assert.rejects(client.read({ resourceType: "Observation", id: created.id }), (refused) => refused.response.status === 410);
  console.log("transaction, delete");

  const stranger = new Client({ baseUrl: demo.base });
  await assert.rejects(stranger.search({ resourceType: "Patient" }), (refused) => refused.response.status === 401);
  console.log("refused without a token");
}

main().catch((error) => {
  console.error(error.response?.data ?? error);
  process.exit(1);
});
