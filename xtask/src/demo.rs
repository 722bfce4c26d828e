//! The examples with a page, as a user would have them: the page installs the packed npm package, the server embeds the crate.

use std::env;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, OrMend, Result};
use crate::project::Project;
use crate::shell::announce;
use crate::{npm, server};

/// An example with a page.
#[derive(Debug)]
pub(crate) struct Example {
    pub(crate) name: &'static str,
    /// The package of its server.
    pub(crate) server: &'static str,
    /// The variable in which its tests expect the path of the built server.
    pub(crate) variable: &'static str,
}

pub(crate) const CHAT: Example =
    Example { name: "chat", server: "tidewire-chat", variable: "CHAT_SERVER" };

pub(crate) const PRICES: Example =
    Example { name: "prices", server: "tidewire-prices", variable: "PRICES_SERVER" };

pub(crate) const GUESTBOOK: Example =
    Example { name: "guestbook", server: "tidewire-guestbook", variable: "GUESTBOOK_SERVER" };

pub(crate) const EXAMPLES: [&Example; 3] = [&CHAT, &PRICES, &GUESTBOOK];

/// The example of this name.
pub(crate) fn named(name: &str) -> Result<&'static Example> {
    let example = EXAMPLES.into_iter().find(|example| example.name == name);
    example.ok_or_else(|| {
        let names = EXAMPLES.map(|example| example.name).join(", ") + ", leptos";
        Failure::new(
            format!("there is no example {name} with a page"),
            format!("choose of {names}"),
        )
    })
}

/// Builds everything, says where the example is, and serves it until it is interrupted.
pub(crate) fn run(project: &Project, example: &Example) -> Result {
    listens(example.name)?;
    page(project, example)?;
    let mut server = Command::new(server::build(project, example.server)?);
    if env::var_os("DATABASE").is_none() {
        // What an example keeps, it keeps beside what is built.
        server.env("DATABASE", project.target.join(format!("{}.sqlite", example.name)));
    }
    announce(&format!("serving {}; Ctrl-C stops it", example.name));
    become_program(&mut server)
}

/// That the example `name` can listen: said before minutes of building, not after them.
pub(crate) fn listens(name: &str) -> Result {
    let host = env::var("HOST").unwrap_or_else(|_| "127.0.0.1".into());
    let port = env::var("PORT").unwrap_or_else(|_| "3000".into());
    let port = port.parse().or_mend(format!("PORT={port}"), "a port is a number up to 65535")?;
    bind(&host, port, name)
}

fn bind(host: &str, port: u16, name: &str) -> Result {
    match TcpListener::bind((host, port)) {
        Err(error) if error.kind() == ErrorKind::AddrInUse => Err(Failure::new(
            format!("{host}:{port} is in use"),
            format!("PORT={} cargo xtask demo {name} takes another", port.wrapping_add(1)),
        )),
        Err(error) => Err(Failure::new(
            format!("{host}:{port}: {error}"),
            "HOST and PORT say where the example listens",
        )),
        Ok(_) => Ok(()),
    }
}

/// Builds the page into `web/dist` of the example.
pub(crate) fn page(project: &Project, example: &Example) -> Result {
    project.once(example.name, || {
        let web = web(project, example);
        npm::install_packed(project, &web)?;
        announce(&format!("building the page of {}", example.name));
        npm::script(&web, "build", &format!("mend what it names in {}/src", web.display()))
    })
}

pub(crate) fn web(project: &Project, example: &Example) -> PathBuf {
    project.root.join("examples").join(example.name).join("web")
}

/// Goes on as `program`, so that what stops one stops the other.
#[cfg(unix)]
pub(crate) fn become_program(program: &mut Command) -> Result {
    use std::os::unix::process::CommandExt;
    let name = Path::new(program.get_program()).to_owned();
    let error = program.exec();
    Err(Failure::new(format!("{}: {error}", name.display()), "see whether it can be executed"))
}

#[cfg(not(unix))]
pub(crate) fn become_program(program: &mut Command) -> Result {
    crate::shell::run(program, "see what the server says")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_in_use_is_named_with_another() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let failure = bind("127.0.0.1", port, "chat").unwrap_err();
        assert_eq!(failure.what, format!("127.0.0.1:{port} is in use"));
        let mend = format!("PORT={} cargo xtask demo chat takes another", port.wrapping_add(1));
        assert_eq!(failure.mend, mend);
        bind("127.0.0.1", 0, "chat").unwrap();
    }
}
