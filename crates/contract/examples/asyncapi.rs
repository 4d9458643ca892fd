//! Writes the AsyncAPI document to the standard output: `make asyncapi` puts it in its place.

use std::io::Write;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let document = contract::asyncapi::document()?;
    Ok(writeln!(std::io::stdout(), "{document:#}")?)
}
