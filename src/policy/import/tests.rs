//! What each file becomes, and that nothing is widened in silence.

use super::{Carried, ImportError, Names, Translation, UserName, dynamic_security, emqx, mosquitto};
use crate::policy::ClientIdRule;
use crate::policy::fleet::{FleetFile, export};
use crate::policy::record::DeviceStatus;

fn by_common_name() -> Names {
    Names { subject_suffix: Some("O=acme".to_owned()), ..Names::default() }
}

/// The rules of a device or group, as `allow publish a/#`.
fn rules(translation: &Translation, name: &str) -> Vec<String> {
    let devices = translation.records.devices.values().map(|device| (&*device.key.name, &device.rules));
    let groups = translation.records.groups.values().map(|group| (&*group.name, &group.rules));
    let (_, rules) = devices.chain(groups).find(|(own, _)| *own == name).expect("there is such a record");
    rules.iter().map(|rule| format!("{} {} {}", rule.effect.as_str(), rule.action.as_str(), rule.filter)).collect()
}

fn groups(translation: &Translation, device: &str) -> Vec<String> {
    let record = translation.records.devices.values().find(|record| &*record.key.name == device).expect("a record");
    record.groups.iter().map(ToString::to_string).collect()
}

fn places(translation: &Translation, outcome: Carried) -> Vec<&str> {
    translation.notes.iter().filter(|note| note.outcome == outcome).map(|note| &*note.place).collect()
}

/// What comes out is a fleet file that reads back as the same records.
fn assert_exports(translation: &Translation) {
    let names = Names::default();
    let read = FleetFile::parse(&export(&translation.records), names.selector).expect("a fleet file");
    assert_eq!(read.records, translation.records);
}

#[test]
fn a_mosquitto_acl_file() {
    let text = "# of the plant\n\
                topic read news/#\n\
                user dev-1\n\
                topic sensors/dev-1/#\n\
                topic read commands/dev-1/+\n\
                topic write  reports/two words\n\
                topic deny sensors/dev-1/secret\n\
                topic literal/%u\n\
                user dev,2\n\
                \ttopic write out\n\
                pattern readwrite state/%u\n";
    let translation = mosquitto(text, &by_common_name()).unwrap();
    assert_eq!(
        rules(&translation, "CN=dev-1,O=acme"),
        [
            "allow publish literal/%u",
            "allow publish reports/two words",
            "allow publish sensors/dev-1/#",
            "allow subscribe commands/dev-1/+",
            "allow subscribe literal/%u",
            "allow subscribe sensors/dev-1/#",
            "deny publish sensors/dev-1/secret",
            "deny subscribe sensors/dev-1/secret",
        ]
    );
    assert_eq!(rules(&translation, "CN=dev\\,2,O=acme"), ["allow publish out"]);
    assert_eq!(rules(&translation, "mosquitto-patterns"), ["allow publish state/{cn}", "allow subscribe state/{cn}"]);
    assert_eq!(groups(&translation, "CN=dev-1,O=acme"), ["mosquitto-patterns"]);
    assert_eq!(places(&translation, Carried::LeftOut), ["line 2"]);
    assert_exports(&translation);
}

#[test]
fn a_client_id_in_a_topic_counts_only_where_it_proves_something() {
    let text = "user a\npattern write in/%c\npattern write in/x%u\n";
    let free = mosquitto(text, &Names::default()).unwrap();
    assert_eq!(rules(&free, "mosquitto-patterns"), [""; 0]);
    assert_eq!(places(&free, Carried::LeftOut), ["line 2", "line 3"]);
    let enforced = mosquitto(text, &Names { client_id: ClientIdRule::CommonName, ..Names::default() }).unwrap();
    assert_eq!(rules(&enforced, "mosquitto-patterns"), ["allow publish in/{client_id}"]);
}

#[test]
fn users_that_are_subjects() {
    let names = Names { user_name: UserName::Subject, ..Names::default() };
    let translation = mosquitto("user CN=a,O=acme\ntopic x\nuser plain\ntopic y\npattern z/%u\n", &names).unwrap();
    assert_eq!(rules(&translation, "CN=a,O=acme").len(), 2);
    assert_eq!(translation.records.devices.len(), 1);
    assert_eq!(rules(&translation, "mosquitto-patterns")[0], "allow publish z/{subject}");
    assert_eq!(places(&translation, Carried::LeftOut), ["line 3", "line 4"]);
}

#[test]
fn lines_that_mosquitto_would_not_read() {
    for (text, line, word) in
        [("user a\ntopik x\n", 2, "topik"), ("user\n", 1, "user"), ("user a\n\ntopic \n", 3, "topic")]
    {
        let ImportError { line: found, message } = mosquitto(text, &Names::default()).unwrap_err();
        assert_eq!(found, line);
        assert!(message.contains(word), "{message}");
    }
}

const DOCUMENT: &str = r##"{
  "defaultACLAccess": { "publishClientSend": true },
  "clients": [
    { "username": "a", "roles": [{ "rolename": "read all" }], "password": "x", "salt": "y", "iterations": 101 },
    { "username": "b", "disabled": true, "clientid": "b1", "groups": [{ "groupname": "plant", "priority": 1 }] },
    { "username": "c", "roles": [{ "rolename": "nowhere" }] }
  ],
  "groups": [{ "groupname": "plant", "roles": [{ "rolename": "write" }], "clients": [{ "username": "a" }] }],
  "roles": [
    { "rolename": "read all", "acls": [
        { "acltype": "subscribePattern", "topic": "plant/#", "priority": 5, "allow": true },
        { "acltype": "publishClientReceive", "topic": "plant/keys/#", "priority": 1, "allow": false },
        { "acltype": "subscribeLiteral", "topic": "#", "allow": false },
        { "acltype": "unsubscribePattern", "topic": "#", "allow": true } ] },
    { "rolename": "read-all", "acls": [] },
    { "rolename": "write", "acls": [{ "acltype": "publishClientSend", "topic": "in/%u", "allow": true }] }
  ],
  "anonymousGroup": "guests"
}"##;

#[test]
fn mosquittos_dynamic_security() {
    let translation = dynamic_security(DOCUMENT, &by_common_name()).unwrap();
    assert_eq!(rules(&translation, "read-all"), ["allow subscribe plant/#", "deny subscribe plant/keys/#"]);
    assert_eq!(rules(&translation, "read-all-2"), [""; 0], "two roles never become one group");
    assert_eq!(rules(&translation, "write"), ["allow publish in/{cn}"]);
    assert_eq!(groups(&translation, "CN=a,O=acme"), ["read-all", "write"]);
    assert_eq!(groups(&translation, "CN=b,O=acme"), ["write"]);
    let disabled = |name: &str| {
        let record = translation.records.devices.values().find(|record| &*record.key.name == name).expect("a record");
        record.status == DeviceStatus::Disabled
    };
    assert!(disabled("CN=b,O=acme") && !disabled("CN=a,O=acme"));
    let differs = places(&translation, Carried::Differs);
    for place in ["role \"read all\", acls[0]", "defaultACLAccess", "client \"b\"", "\"read all\"", "\"read-all\""] {
        assert!(differs.contains(&place), "{place}: {differs:?}");
    }
    let left_out = places(&translation, Carried::LeftOut);
    for place in ["role \"read all\", acls[2]", "role \"read all\", acls[3]", "client \"c\"", "anonymousGroup"] {
        assert!(left_out.contains(&place), "{place}: {left_out:?}");
    }
    assert_exports(&translation);
}

#[test]
fn no_dynamic_security_document() {
    assert_eq!(dynamic_security("{\n\"clients\": 3}", &Names::default()).unwrap_err().line, 2);
}

const RULES: &str = r##"%% as shipped, and more
{allow, {username, {re, "^dashboard$"}}, subscribe, ["$SYS/#"]}.
{allow, {ipaddr, "127.0.0.1"}, all, ["$SYS/#", "#"]}.
{allow, {user, "a"}, publish, ["in/${username}", "x/${clientid}"]}.
{allow, {'or', [{username, <<"b">>}, {clientid, "c"}]}, {publish, [{qos, [0, 1]}, {retain, false}]}, ["out/#"]}.
{deny, all, subscribe, ["$SYS/#", {eq, "#"}]}.
{deny, {user, "b"}, all, ["out/secret"]}.
{allow, all}.
"##;

#[test]
fn emqx_file_rules() {
    let translation = emqx(RULES, &by_common_name()).unwrap();
    assert_eq!(rules(&translation, "CN=a,O=acme"), ["allow publish in/{cn}"]);
    assert_eq!(
        rules(&translation, "CN=b,O=acme"),
        ["allow publish out/#", "deny publish out/secret", "deny subscribe out/secret"]
    );
    assert_eq!(rules(&translation, "emqx-all"), ["deny subscribe $SYS/#"]);
    assert_eq!(groups(&translation, "CN=a,O=acme"), ["emqx-all"]);
    assert_eq!(
        places(&translation, Carried::LeftOut),
        ["line 2", "line 3", "line 4", "line 5", "line 6", "line 8"],
        "{:?}",
        translation.notes
    );
    let differs = places(&translation, Carried::Differs);
    assert!(differs.contains(&"line 7"), "the allow came first there: {differs:?}");
    let export = export(&translation.records);
    assert!(export.contains("{ publish = \"out/#\", max_qos = 1, retain = false }"), "{export}");
    assert_exports(&translation);
}

#[test]
fn no_emqx_rules() {
    for (text, line, word) in [
        ("{allow, all}.\n{allow, all}", 2, "full stop"),
        ("\n{permit, all}.", 2, "allow or deny"),
        ("{allow, {user, \"a\"}, write, [\"x\"]}.", 1, "write"),
        ("{allow, {user, \"a\"}, {publish, [{qos, 1}]}, [\"x\"]}.", 1, "every QoS"),
        ("{allow, {user, \"a", 1, "inside a string"),
        ("[", 1, "inside a rule"),
        ("{allow, {user, \"a\"}, publish, \"x\"}.", 1, "list"),
    ] {
        let ImportError { line: found, message } = emqx(text, &Names::default()).unwrap_err();
        assert_eq!(found, line, "{text}: {message}");
        assert!(message.contains(word), "{text}: {message}");
    }
    let deep = "[".repeat(100_000);
    assert!(emqx(&deep, &Names::default()).unwrap_err().message.contains("deep"));
}
