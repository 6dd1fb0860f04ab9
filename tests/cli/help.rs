//! Every command has help with examples and exit codes, completions and a man page, from one definition.

use super::Desk;

/// Every command with its words, from the definition.
fn commands() -> Vec<(Vec<String>, clap::Command)> {
    fn walk(words: &[String], command: &clap::Command, found: &mut Vec<(Vec<String>, clap::Command)>) {
        found.push((words.to_vec(), command.clone()));
        for inner in command.get_subcommands() {
            let mut words = words.to_vec();
            words.push(inner.get_name().to_owned());
            walk(&words, inner, found);
        }
    }
    let mut found = Vec::new();
    walk(&[], &certmq::cli::command(), &mut found);
    found
}

#[test]
fn every_command_has_examples_and_exit_codes() {
    let desk = Desk::new();
    let commands = commands();
    assert!(commands.len() > 30, "{}", commands.len());
    for (words, _) in commands {
        let mut arguments: Vec<&str> = words.iter().map(String::as_str).collect();
        arguments.push("--help");
        let help = desk.ok(&arguments);
        let examples = help.find("\nEXAMPLES\n").unwrap_or_else(|| panic!("no EXAMPLES: {words:?}\n{help}"));
        let codes = help.find("\nEXIT CODES\n").unwrap_or_else(|| panic!("no EXIT CODES: {words:?}\n{help}"));
        assert!(examples < codes, "{words:?}");
        assert!(help[examples..codes].contains(&format!("certmq {}", words.join(" "))), "{words:?}\n{help}");
        for code in ["  0   ", "  64  "] {
            assert!(help[codes..].contains(code), "{words:?}\n{help}");
        }
    }
}

#[test]
fn every_command_and_argument_says_what_it_is() {
    for (words, command) in commands() {
        assert!(command.get_about().is_some(), "{words:?}");
        for argument in command.get_arguments() {
            let built_in = ["help", "version"].contains(&argument.get_id().as_str());
            assert!(built_in || argument.get_help().is_some(), "{words:?} {}", argument.get_id());
        }
    }
}

/// The examples are read by the program itself: a renamed option would make them lies.
#[test]
fn every_example_is_read_as_a_command() {
    for (words, _) in commands() {
        let mut arguments: Vec<&str> = words.iter().map(String::as_str).collect();
        arguments.push("--help");
        let help = Desk::new().ok(&arguments);
        let examples = help.split("\nEXAMPLES\n").nth(1).and_then(|rest| rest.split("\nEXIT CODES\n").next());
        for line in
            examples.unwrap_or_default().lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        {
            let command = line.split(" > ").next().unwrap_or(line);
            if !command.contains("certmq ") {
                continue;
            }
            let split = split_words(command.trim());
            let arguments = split.iter().skip_while(|word| word.contains("CERTMQ__")).map(String::as_str);
            if let Err(error) = certmq::cli::command().try_get_matches_from(arguments) {
                assert!(!error.use_stderr(), "{line}\n{error}");
            }
        }
    }
}

/// The words of a line, single quotes taken off.
fn split_words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for character in line.chars() {
        match character {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            other => words.last_mut().unwrap().push(other),
        }
    }
    words
}

#[test]
fn usage_faults_are_64_and_suggest_the_nearest() {
    let desk = Desk::new();
    for (arguments, part) in [
        (&["devcie", "list"][..], "'device'"),
        (&["device", "lst"], "'list'"),
        (&["device", "add", "CN=a", "--gruop", "g"], "--group"),
        (&["acl", "explain", "dev-1", "pubish", "a"], "did you mean publish?"),
        (&["acl", "allow", "dev-1", "publish"], "say who, what and where"),
        (&["acl", "allow", "--group", "g", "dev-1", "publish", "a"], "--group or --cert names who is meant"),
        (&["acl", "allow", "dev-1", "publish", "a", "--max-qos", "3"], "3"),
        (&["group", "add", "g", "--match", "oo=acme"], "did you mean o?"),
        (&["store", "restore"], "--policy"),
        (&["status", "--output", "xml"], "json"),
        (&["device", "add"], "SUBJECT"),
        (&["device", "add", "CN=a", "--pin"], "--pin"),
        (&["session", "show"], "say whose session"),
        (&["session", "remove", "dev-1"], "--all"),
        (&["session", "remove", "dev-1", "c", "--all"], "not both"),
        (&["session", "show", "--group", "g"], "not a group"),
        (&["session", "list", "--group", "g", "dev-1"], "--group"),
        (&["session", "lst"], "'list'"),
    ] {
        let outcome = desk.run(arguments).expect(64);
        assert!(outcome.stdout.is_empty(), "{outcome:?}");
        assert!(outcome.stderr.contains(part), "{arguments:?}: no {part:?} in {outcome:#?}");
    }
    desk.run(&[]).expect(64);
}

#[test]
fn commands_of_later_versions_do_not_exist() {
    let desk = Desk::new();
    for word in ["watch", "doctor"] {
        desk.run(&[word]).expect(64);
    }
}

#[test]
fn version_and_help_go_to_stdout() {
    let desk = Desk::new();
    assert!(desk.ok(&["--version"]).starts_with("certmq "));
    assert!(desk.ok(&["--help"]).contains("quickstart"));
}

#[test]
fn completions_and_man_pages_come_from_the_same_definitions() {
    let desk = Desk::new();
    for shell in ["bash", "zsh", "fish"] {
        assert!(desk.ok(&["completions", shell]).contains("quickstart"), "{shell}");
    }
    desk.ok(&["man", "pages"]);
    for (words, _) in commands() {
        let hidden = words.first().is_some_and(|word| ["completions", "man"].contains(&word.as_str()));
        let name = std::iter::once("certmq".to_owned()).chain(words).collect::<Vec<_>>().join("-");
        assert!(hidden || desk.path(&format!("pages/{name}.1")).exists(), "{name}");
    }
}
