"""The SMART Python client (PyPI fhirclient), which finds the way only by `oauth-uris` in the CapabilityStatement: code flow, patient, refresh.
    REQUESTS_CA_BUNDLE=ca.pem python with_smart_python.py demo.json
"""
import json
import re
import sys

import requests
from fhirclient import client
from fhirclient.models.patient import Patient

demo = json.load(open(sys.argv[1]))
app = demo["clients"]["app"]
smart = client.FHIRClient(
    settings={
        "app_id": app["client_id"],
        "api_base": demo["base"],
        "redirect_uri": app["redirect_uri"],
        "scope": "launch/patient openid fhirUser offline_access patient/Patient.read",
    }
)
smart.prepare()
origin = demo["base"].rsplit("/", 1)[0]
browser = requests.Session()


def hidden(text, action):
    form = text.split(f'action="{action}"')[1].split("</form>")[0]
    return re.findall(r'type="hidden" name="([^"]+)" value="([^"]+)"', form)


page = browser.get(smart.authorize_url)
user = demo["users"]["patient"]
form = hidden(page.text, "/sign-in") + [("username", user["username"]), ("password", user["password"])]
page = browser.post(f"{origin}/sign-in", data=form)
ticks = [("allow", value) for value in re.findall(r'name="allow" value="([^"]+)"', page.text)]
form = hidden(page.text, "/authorize/answer") + ticks + [("answer", "allow")]
page = browser.post(f"{origin}/authorize/answer", data=form, allow_redirects=False)
smart.handle_callback(page.headers["location"])
assert smart.ready and f"Patient/{smart.patient_id}" == user["fhirUser"]
patient = Patient.read(smart.patient_id, smart.server)
assert patient.id == smart.patient_id
assert smart.reauthorize()
assert Patient.read(smart.patient_id, smart.server).id == patient.id
print(f"fhirclient (Python): Patient/{patient.id}, read, refreshed")
