use swath::*;
use std::collections::BTreeMap;
fn main() {
    let root = std::env::args().nth(1).unwrap();
    let only = std::env::args().nth(2).unwrap_or_default();
    let v: serde_json::Value = serde_json::from_slice(&std::fs::read(format!("{root}/MANIFEST.json")).unwrap()).unwrap();
    let s = Session::new();
    let (mut ok, mut wrong, mut refused) = (0, 0, 0);
    let mut why: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for f in v["files"].as_array().unwrap() {
        let path = f["path"].as_str().unwrap();
        if !path.starts_with(&only) || f["hostile"] == true { continue; }
        let full = format!("{root}/{path}");
        let parts: Vec<(String, &serde_json::Value)> = if f["kind"] == "tiff" { f["ifds"].as_array().map(|a| a.iter().map(|i| (i["ifd"].as_str().unwrap().to_string(), i)).collect()).unwrap_or_default() } else { f["arrays"].as_array().map(|a| a.iter().map(|i| (i["path"].as_str().unwrap().to_string(), i)).collect()).unwrap_or_default() };
        let ds = s.block_on(s.open(&full));
        for (name, rec) in parts {
            let crcs: Vec<String> = rec.as_object().unwrap().iter().filter(|(k, _)| k.starts_with("oracle")).filter_map(|(_, o)| o["crc32"].as_str().map(str::to_owned)).collect();
            if crcs.is_empty() { continue; }
            let r = (|| { let a = match &ds { Ok(Dataset::Cog(c)) => c.directory(&name)?, Ok(Dataset::Group(g)) => s.block_on(g.array(&name))?, Err(e) => return Err(e.clone()), _ => unreachable!() }; s.block_on(a.read_dyn(..)) })();
            match r {
                Ok(a) => { let crc = format!("{:08x}", crc32fast::hash(&a.into_little_endian())); if crcs.contains(&crc) { ok += 1 } else { wrong += 1; why.entry(format!("WRONG {}", rec["compression_name"])).or_default().push(format!("{path} {name}")); } }
                Err(e) => { refused += 1; let k = e.kind().to_string(); why.entry(k.split(" (chunk").next().unwrap().to_string()).or_default().push(format!("{path} {name}")); }
            }
        }
    }
    for (k, v) in &why { println!("{:4} {k}\n        {}", v.len(), v.iter().take(3).cloned().collect::<Vec<_>>().join("  ")); }
    println!("ok {ok} wrong {wrong} refused {refused}");
}
