//! `moorline new`: a gateway to begin with, in a directory of its own.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::failure::Failure;
use crate::gate::quoted;
use crate::report::Exit;

#[derive(Debug, Args)]
pub(super) struct NewArgs {
    /// The language it is written in
    #[arg(long, value_enum, value_name = "LANGUAGE")]
    lang: Language,
    /// Where to; it is made, and nothing in it is overwritten
    #[arg(value_name = "DIRECTORY")]
    directory: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Language {
    Python,
    #[value(alias = "javascript")]
    Typescript,
}

/// A file by its name, and what stands in it.
type Template = (&'static str, &'static str);

/// The gateway itself comes first. The shim comes with it, so that nothing has to be installed.
const PYTHON: &[Template] = &[
    (
        "gateway.py",
        include_str!("../../shims/python/template/gateway.py"),
    ),
    (
        "moorline_shim.py",
        include_str!("../../shims/python/moorline_shim/__init__.py"),
    ),
];
const TYPESCRIPT: &[Template] = &[
    (
        "gateway.js",
        include_str!("../../shims/typescript/template/gateway.js"),
    ),
    (
        "moorline-shim.js",
        include_str!("../../shims/typescript/moorline-shim.js"),
    ),
    (
        "moorline-shim.d.ts",
        include_str!("../../shims/typescript/moorline-shim.d.ts"),
    ),
    (
        "package.json",
        include_str!("../../shims/typescript/template/package.json"),
    ),
];

impl Language {
    fn templates(self) -> &'static [Template] {
        match self {
            Self::Python => PYTHON,
            Self::Typescript => TYPESCRIPT,
        }
    }

    fn interpreter(self) -> &'static str {
        match self {
            Self::Python => "python3",
            Self::Typescript => "node",
        }
    }
}

pub(super) fn new(out: &mut impl Write, args: &NewArgs) -> Result<Exit, Failure> {
    let NewArgs { lang, directory } = args;
    let templates = lang.templates();
    let there = templates.iter().map(|(name, _)| directory.join(name));
    if let Some(there) = there.into_iter().find(|file| file.exists()) {
        return Err(Failure::Usage(format!(
            "{} is there already, and nothing was written; name a directory that is new",
            there.display()
        )));
    }
    fs::create_dir_all(directory).map_err(|error| Failure::File(directory.clone(), error))?;
    for (name, text) in templates {
        let file = directory.join(name);
        write_new(&file, text).map_err(|error| Failure::File(file, error))?;
    }
    let main = directory.join(templates[0].0).display().to_string();
    let command = quoted(&format!("{} {}", lang.interpreter(), quoted(&main)));
    let names: Vec<&str> = templates.iter().map(|(name, _)| *name).collect();
    let directory = directory.display();
    writeln!(out, "{directory} has {}\n", names.join(", "))?;
    writeln!(out, "Judge it:   moorline run --gateway {command}")?;
    writeln!(
        out,
        "Go on:      the top of {main} names the rule to implement next"
    )?;
    Ok(Exit::Conforms)
}

/// What somebody else puts there at the same moment is not overwritten either.
fn write_new(file: &PathBuf, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(file)?;
    file.write_all(text.as_bytes())
}
