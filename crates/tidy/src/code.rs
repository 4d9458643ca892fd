//! Tells code, strings and comments of a Rust file apart, so that a rule about one does not trip over another.
//!
//! It knows just enough of Rust's lexis for that: strings (raw ones, byte ones), characters, lifetimes, nested comments.

/// A file's text twice, line by line as it was: the code alone, and the strings alone. Everything else is blank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// Code without comments and without what stands in strings.
    pub code: String,
    /// String literals, quotes included.
    pub strings: String,
}

/// Where the reader is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Code,
    LineComment,
    BlockComment { depth: usize },
    Text { raw_hashes: Option<usize> },
}

/// Takes a file apart.
pub fn parts(text: &str) -> Parts {
    let characters: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut strings = String::with_capacity(text.len());
    let mut place = Place::Code;
    let mut at = 0;
    while at < characters.len() {
        let (next, length) = step(place, &characters, at);
        for &character in &characters[at..at + length] {
            let blank = if character == '\n' { '\n' } else { ' ' };
            code.push(if place == Place::Code && next == Place::Code { character } else { blank });
            strings.push(if is_text(place) || is_text(next) { character } else { blank });
        }
        place = next;
        at += length;
    }
    Parts { code, strings }
}

fn is_text(place: Place) -> bool {
    matches!(place, Place::Text { .. })
}

/// The place behind the next few characters, and how many they are.
fn step(place: Place, characters: &[char], at: usize) -> (Place, usize) {
    let here = characters[at];
    let following = characters.get(at + 1).copied();
    match place {
        Place::Code => step_in_code(characters, at),
        Place::LineComment if here == '\n' => (Place::Code, 1),
        Place::BlockComment { depth } => match (here, following) {
            ('/', Some('*')) => (Place::BlockComment { depth: depth + 1 }, 2),
            ('*', Some('/')) if depth == 1 => (Place::Code, 2),
            ('*', Some('/')) => (Place::BlockComment { depth: depth - 1 }, 2),
            _ => (place, 1),
        },
        Place::Text { raw_hashes: None } if here == '\\' && following.is_some() => (place, 2),
        Place::Text { raw_hashes: None } if here == '"' => (Place::Code, 1),
        Place::Text { raw_hashes: Some(hashes) } if here == '"' && hashes_from(characters, at + 1) >= hashes => (Place::Code, 1 + hashes),
        Place::LineComment | Place::Text { .. } => (place, 1),
    }
}

fn step_in_code(characters: &[char], at: usize) -> (Place, usize) {
    let following = characters.get(at + 1).copied();
    match (characters[at], following) {
        ('/', Some('/')) => (Place::LineComment, 2),
        ('/', Some('*')) => (Place::BlockComment { depth: 1 }, 2),
        ('"', _) => (Place::Text { raw_hashes: None }, 1),
        ('r', _) if !continues_a_word(characters, at) => {
            let hashes = hashes_from(characters, at + 1);
            if characters.get(at + 1 + hashes) == Some(&'"') {
                (Place::Text { raw_hashes: Some(hashes) }, 2 + hashes)
            } else {
                (Place::Code, 1)
            }
        }
        // A character, not a lifetime: 'x' or an escape, skipped whole so that '"' opens no string.
        ('\'', Some('\\')) => (Place::Code, escaped_character(characters, at)),
        ('\'', Some(_)) if characters.get(at + 2) == Some(&'\'') => (Place::Code, 3),
        _ => (Place::Code, 1),
    }
}

fn hashes_from(characters: &[char], at: usize) -> usize {
    characters[at.min(characters.len())..].iter().take_while(|&&character| character == '#').count()
}

/// Whether the `r` here is the end of a longer word. `br"..."` and `cr"..."` are raw strings all the same.
fn continues_a_word(characters: &[char], at: usize) -> bool {
    let is_word =
        |back: usize| at.checked_sub(back).is_some_and(|before| characters[before].is_alphanumeric() || characters[before] == '_');
    let prefixed = at.checked_sub(1).is_some_and(|before| matches!(characters[before], 'b' | 'c'));
    if prefixed { is_word(2) } else { is_word(1) }
}

fn escaped_character(characters: &[char], at: usize) -> usize {
    let after_escape = at + 3;
    let rest = characters.get(after_escape..).unwrap_or_default();
    let length = rest.iter().position(|&character| character == '\'').map_or(2, |end| end + 4);
    length.min(characters.len() - at)
}

/// The part of a file that is built into the product: everything before its unit tests.
pub fn production(text: &str) -> &str {
    text.find("\n#[cfg(test)]\n").map_or(text, |end| &text[..=end])
}

/// Whether `word` stands in `text`, not as a part of a longer name.
pub fn names(text: &str, word: &str) -> bool {
    let in_name = |character: Option<char>| character.is_some_and(|character| character.is_alphanumeric() || character == '_');
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let behind = text[at + word.len()..].chars().next();
        let opens = word.starts_with(|character: char| in_name(Some(character)));
        let closes = word.ends_with(|character: char| in_name(Some(character)));
        !(opens && in_name(before) || closes && in_name(behind))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        parts(text).code.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn strings(text: &str) -> String {
        parts(text).strings.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn comments_and_strings_are_no_code() {
        let text = "let a = 1; // b \"\n/* c /* d */ e */ let f = \"g // h\\\" i\"; j";
        assert_eq!(code(text), "let a = 1; let f = ; j");
        assert_eq!(strings(text), "\"g // h\\\" i\"");
    }

    #[test]
    fn raw_strings_end_where_they_say() {
        let text = "x(r#\"a \" b\"#, br\"c\\\", for_r \"d\")";
        assert_eq!(strings(text), "r#\"a \" b\"# r\"c\\\" \"d\"");
        assert_eq!(code(text), "x( , b , for_r )");
    }

    #[test]
    fn a_quoted_quote_opens_no_string_and_a_lifetime_is_no_character() {
        let text = "fn f<'a>(c: &'a char) { c == '\"' || c == '\\'' || c == '\\u{22}' || \"s\" }";
        assert_eq!(strings(text), "\"s\"");
        assert!(code(text).starts_with("fn f<'a>(c: &'a char)"));
    }

    #[test]
    fn lines_stay_where_they_were() {
        let parts = parts("a\n/*\n*/\"\n\"b");
        assert_eq!((parts.code.lines().count(), parts.strings.lines().count()), (4, 4));
    }

    #[test]
    fn unit_tests_are_not_part_of_the_product() {
        assert_eq!(production("a\n\n#[cfg(test)]\nmod tests {}\n"), "a\n\n");
        assert_eq!(production("a\n#[cfg(test)] use b;"), "a\n#[cfg(test)] use b;");
    }

    #[test]
    fn a_word_is_found_only_as_a_word() {
        assert!(names("use tokio::sync;", "tokio"));
        assert!(names("now = Instant::now()", "Instant"));
        assert!(!names("tokio_postgres::Row", "tokio"));
        assert!(!names("InstantOffer", "Instant"));
    }
}
