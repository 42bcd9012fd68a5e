//! What the server behind can do, as far as it is known.

use crate::fhir::ResourceType;
use crate::store::{Served, ServedType};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What can be asked of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Abilities {
    /// What its CapabilityStatement says; `None` before it was asked, or when it says nothing that can be used.
    pub(super) served: Option<Served>,
    /// Whether it knows no `Patient/p1/Observation`.
    pub(super) without_compartments: bool,
}

impl Abilities {
    /// Does it have records of this type?
    pub(super) fn serves(&self, of: ResourceType) -> bool {
        self.served.as_ref().is_none_or(|served| served.types.contains_key(&of))
    }

    /// Can it search the type by this parameter? What it cannot is checked here.
    pub(super) fn searches(&self, of: ResourceType, code: &str) -> bool {
        let Some(served) = &self.served else { return true };
        code.starts_with('_') || served.types.get(&of).is_some_and(|one| one.parameters.contains(code))
    }
}

/// What a CapabilityStatement says; the error is what is wrong with it.
pub(super) fn read(statement: &Value) -> Result<Served, String> {
    if statement["resourceType"] != "CapabilityStatement" {
        return Err("`metadata` gives no CapabilityStatement".to_owned());
    }
    let version = statement["fhirVersion"].as_str().unwrap_or_default();
    if !version.starts_with("4.0") {
        return Err(format!("it speaks FHIR `{version}`, not R4"));
    }
    let rest = statement["rest"].as_array().into_iter().flatten().find(|rest| rest["mode"] == "server");
    let rest = rest.ok_or("its CapabilityStatement has no `rest` of a server")?;
    let codes = |list: &Value, name: &str| -> BTreeSet<String> {
        let items = list.as_array().into_iter().flatten();
        items.filter_map(|item| item[name].as_str().map(str::to_owned)).collect()
    };
    let mut types = BTreeMap::new();
    for resource in rest["resource"].as_array().into_iter().flatten() {
        let Some(of) = resource["type"].as_str().and_then(ResourceType::parse) else { continue };
        let one = ServedType {
            interactions: codes(&resource["interaction"], "code"),
            parameters: codes(&resource["searchParam"], "name"),
            // Many say nothing of it and do it.
            creates_by_update: resource["updateCreate"] != false,
            versions: resource["versioning"] != "no-version",
        };
        types.insert(of, one);
    }
    if types.is_empty() {
        return Err("its CapabilityStatement names no resource type".to_owned());
    }
    Ok(Served { types, transactions: codes(&rest["interaction"], "code").contains("transaction") })
}

#[cfg(test)]
mod tests {
    use super::{Abilities, read};
    use crate::fhir::ResourceType;
    use serde_json::json;

    #[test]
    fn a_statement_is_read_for_types_parameters_and_interactions() {
        let statement = json!({"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "rest": [{"mode": "server",
            "interaction": [{"code": "transaction"}], "resource": [{"type": "Patient", "updateCreate": true,
            "searchParam": [{"name": "name"}], "interaction": [{"code": "read"}, {"code": "update"}]}]}]});
        let abilities = Abilities { served: Some(read(&statement).unwrap()), ..Abilities::default() };
        assert!(abilities.serves(ResourceType::Patient) && !abilities.serves(ResourceType::Observation));
        assert!(abilities.searches(ResourceType::Patient, "name") && !abilities.searches(ResourceType::Patient, "gender"));
        assert!(abilities.searches(ResourceType::Patient, "_id"));
        for wrong in [json!({}), json!({"resourceType": "CapabilityStatement", "fhirVersion": "3.0.2"})] {
            assert!(read(&wrong).is_err());
        }
    }
}
