//! From the store to the compiled form, record by record: a million need not stand in memory twice.

use super::{PolicyStore, StoreError};
use crate::policy::{CompileError, Compiler, Epoch, Policy};

/// Why no policy came of the records; the one that denies everything stays in force.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The records do not compile: they were written by another version, or this one has a bug.
    #[error("the records of the store do not compile: {0}")]
    Compile(#[from] CompileError),
}

/// Feeds every record of one generation to `compiler` and compiles them.
pub fn load(store: &PolicyStore, mut compiler: Compiler, epoch: Epoch) -> Result<Policy, LoadError> {
    let writer = store.shared.writer.lock();
    for group in store.groups() {
        compiler.group(&group?)?;
    }
    for device in store.devices() {
        compiler.device(&device?)?;
    }
    for entry in store.denials() {
        compiler.denial(entry?);
    }
    Ok(compiler.finish(writer.state.generation, epoch)?)
}
