"""Reads, searches, creates, updates and deletes with fhirpy (https://pypi.org/project/fhirpy)."""

import json
import sys

from fhirpy import SyncFHIRClient
from fhirpy.base.exceptions import AuthorizationError, ResourceNotFound

with open(sys.argv[1], encoding="utf-8") as file:
    demo = json.load(file)


def client(name, authorized=True):
    token = f"Bearer {demo['tokens'][name]}" if authorized else None
    return SyncFHIRClient(demo["base"], authorization=token, requests_config={"verify": demo["ca_file"]})


hospital = client("hospital")

patients = hospital.resources("Patient").limit(3).fetch_all()
# Not `count()`, which asks with a parameter of one vendor's.
total = hospital.resources("Patient").search(_summary="count").fetch_raw()["total"]
assert total >= 15 and len(patients) == total, (total, len(patients))
print(f"searched: {total} patients over all pages")

read = hospital.reference("Patient", patients[0].id).to_resource()
assert read.serialize() == patients[0].serialize()
print(f"read: Patient/{read.id}")

observation = hospital.resource(
    "Observation",
    status="final",
    code={"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
    subject={"reference": f"Patient/{read.id}"},
    valueQuantity={"value": 13.2, "unit": "g/dL"},
)
observation.save()
assert observation.id and observation["meta"]["versionId"] == "1"
found = hospital.resources("Observation").search(code="http://loinc.org|718-7", subject=f"Patient/{read.id}").fetch_all()
assert observation.id in [one.id for one in found]
print(f"created and found: Observation/{observation.id}")

observation["status"] = "amended"
observation.save()
assert observation["meta"]["versionId"] == "2", observation["meta"]
included = hospital.resources("Observation").search(_id=observation.id).include("Observation", "subject").fetch_raw()
assert {entry["resource"]["resourceType"] for entry in included["entry"]} == {"Observation", "Patient"}
print("updated, and included its patient")

observation.delete()
try:
    hospital.reference("Observation", observation.id).to_resource()
    raise AssertionError("a deleted record was read")
except ResourceNotFound:
    print("deleted")

once = hospital.resources("Organization").search(identifier="urn:example:clients|fhirpy")
organization = {"name": "Made once", "identifier": [{"system": "urn:example:clients", "value": "fhirpy"}]}
made, created = once.update(hospital.resource("Organization", **organization))
again, twice = once.update(hospital.resource("Organization", **organization))
assert (created, twice) == (True, False) and made.id == again.id
print("updated on condition, created once")

try:
    client("hospital", authorized=False).resources("Patient").fetch()
    raise AssertionError("somebody without a token was answered")
except AuthorizationError as refused:
    print(f"refused without a token: {json.loads(str(refused))['issue'][0]['code']}")
