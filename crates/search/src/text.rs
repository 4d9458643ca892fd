//! How texts are folded before they are compared: case, accents, hyphens. Pure; both engines see nothing but folded texts.

use std::collections::BTreeSet;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Letters that no decomposition takes apart, as people type them without the key.
const WRITTEN_OUT: [(char, &str); 9] =
    [('ß', "ss"), ('æ', "ae"), ('œ', "oe"), ('ø', "o"), ('ł', "l"), ('đ', "d"), ('ð', "d"), ('þ', "th"), ('ı', "i")];

/// Letters of a word that count. Longer ones, which only what is written in one letter and folded to many can have, no engine takes: PostgreSQL
/// up to 2,046 bytes, Elasticsearch up to 255 characters.
const WORD_LETTERS: usize = 100;

/// Lower case, without accents: `Crème BRÛLÉE` -> `creme brulee`.
pub fn folded(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.nfkd().filter(|letter| !is_combining_mark(*letter)).flat_map(char::to_lowercase) {
        match WRITTEN_OUT.iter().find(|(known, _)| *known == letter) {
            Some((_, written)) => plain.push_str(written),
            // Lowering may leave a mark of its own behind (`İ`).
            None if is_combining_mark(letter) => {}
            None => plain.push(letter),
        }
    }
    plain
}

/// What a SKU is compared by: folded, letters and digits alone, so that hyphens and spaces need not be typed.
pub fn sku_key(sku: &str) -> String {
    folded(sku).chars().filter(|letter| letter.is_alphanumeric()).collect()
}

/// The words of a text, folded, in their order.
pub fn words(text: &str) -> Vec<String> {
    folded(text).split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()).map(cut).collect()
}

/// What a name is found by: its words, and what a hyphen or an apostrophe joins also as one: `T-shirt` -> `shirt`, `t`, `tshirt`.
pub fn name_words(name: &str) -> BTreeSet<String> {
    let joined = folded(name).split_whitespace().map(|word| cut(&sku_key(word))).filter(|word| !word.is_empty()).collect::<Vec<_>>();
    words(name).into_iter().chain(joined).collect()
}

fn cut(word: &str) -> String {
    word.chars().take(WORD_LETTERS).collect()
}

/// Edits that a word of this length may have and still be found: none up to 2 letters, one up to 5, then two.
pub fn edits_allowed(word: &str) -> usize {
    match word.chars().count() {
        0..=2 => 0,
        3..=5 => 1,
        _ => 2,
    }
}

/// Whether one word becomes the other by at most `most` edits: a letter more, less, other, or two neighbours swapped.
pub fn is_within(most: usize, one: &str, other: &str) -> bool {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    if one.len().abs_diff(other.len()) > most {
        return false;
    }
    // Rows of the table of distances: two back, one back, this one.
    let mut before = vec![0; other.len() + 1];
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for i in 1..=one.len() {
        let mut row = vec![i; other.len() + 1];
        for j in 1..=other.len() {
            let differs = usize::from(one[i - 1] != other[j - 1]);
            row[j] = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + differs);
            if i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[other.len()] <= most
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_accents_are_folded() {
        for (text, expected) in [
            ("Crème BRÛLÉE", "creme brulee"),
            ("Straße", "strasse"),
            ("SMØRREBRØD Łódź", "smorrebrod lodz"),
            ("İstanbul", "istanbul"),
            ("ﬁne ①", "fine 1"),
            ("商品", "商品"),
            ("Ωμέγα", "ωμεγα"),
        ] {
            assert_eq!(folded(text), expected);
        }
    }

    #[test]
    fn a_skus_key_has_letters_and_digits_alone() {
        assert_eq!(sku_key("AB-12 x/Ü_7"), "ab12xu7");
        assert_eq!(sku_key("käse-ß"), "kasess");
        assert_eq!(sku_key("---"), "");
    }

    #[test]
    fn names_have_words_and_joined_words() {
        assert_eq!(words("Red  T-shirt, 10\" (Men's)"), ["red", "t", "shirt", "10", "men", "s"]);
        let found: Vec<String> = name_words("T-shirt red").into_iter().collect();
        assert_eq!(found, ["red", "shirt", "t", "tshirt"]);
    }

    #[test]
    fn no_word_is_longer_than_both_engines_take() {
        // Six letters of three bytes each once they are folded, eighteen of two with spaces between them; and the widest.
        for name in ["\u{3316}".repeat(200), "\u{fdfa}".repeat(200), "\u{20000}".repeat(200), "a-".repeat(100)] {
            for word in words(&name).into_iter().chain(name_words(&name)) {
                assert!(word.len() <= 2046 && word.encode_utf16().count() <= 255, "{} bytes", word.len());
            }
        }
        assert_eq!(words(&"x".repeat(150)), ["x".repeat(100)]);
    }

    #[test]
    fn edits_are_counted_with_swaps() {
        for (one, other, edits) in [
            ("mug", "mug", 0),
            ("mgu", "mug", 1),
            ("christmas", "chritsmas", 1),
            ("lantern", "lanten", 1),
            ("kettle", "ketel", 2),
            ("", "ab", 2),
        ] {
            assert!(is_within(edits, one, other) && is_within(edits, other, one), "{one} {other}");
            assert!(edits == 0 || !is_within(edits - 1, one, other), "{one} {other}");
        }
    }
}
