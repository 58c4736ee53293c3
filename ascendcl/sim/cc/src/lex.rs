//! The tokens of C++, as far as it takes to find kernels and their launches.

/// A piece of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub text: &'a str,
    pub file: &'a str,
    pub line: u32,
    /// Where it starts in the text, in bytes.
    pub start: usize,
}

/// How a raw string starts, each with the letter and the quote at its end.
const RAW_STRINGS: [&str; 5] = ["R\"", "LR\"", "uR\"", "UR\"", "u8R\""];

/// Whether text starts as a name, or a keyword.
pub(crate) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

/// Splits text into names, numbers, string literals (as `""`), `<<<` and single characters. Comments and directives are left
/// out.
pub(crate) fn tokens(text: &str, is_own: impl Fn(&str) -> bool) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let (mut file, mut line, mut own) = ("", 1, true);
    let mut at_line_start = true;
    let (whole, mut rest) = (text, text);
    while let Some(first) = rest.chars().next() {
        let mut length = first.len_utf8();
        let mut token = None;
        if first == '\n' {
            line += 1;
            at_line_start = true;
            rest = &rest[1..];
            continue;
        }
        if first == '#' && at_line_start {
            length = directive_length(rest);
            if let Some((number, name)) = line_marker(&rest[..length]) {
                // The marker names the line after it.
                (file, line) = (name, number.saturating_sub(1));
                own = is_own(file);
            } else {
                line += newlines(&rest[..length]);
            }
            rest = &rest[length..];
            continue;
        }
        if rest.starts_with("//") {
            length = rest.find('\n').unwrap_or(rest.len());
        } else if rest.starts_with("/*") {
            length = rest.find("*/").map_or(rest.len(), |end| end + 2);
        } else if let Some(prefix) = RAW_STRINGS.iter().find(|prefix| rest.starts_with(**prefix)) {
            length = prefix.len() - 2 + raw_string_length(&rest[prefix.len() - 2..]);
            token = Some("\"\"");
        } else if first == '"' || first == '\'' {
            length = literal_length(rest, first);
            token = (first == '"').then_some("\"\"");
        } else if first.is_ascii_digit() {
            // Also 1'000, whose quote opens nothing.
            length = rest
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '\'' && c != '.' && c != '_')
                .unwrap_or(rest.len());
            token = Some(&rest[..length]);
        } else if is_name(rest) {
            length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            token = Some(&rest[..length]);
        } else if let Some(launch) = launch_length(rest) {
            length = launch;
            token = Some("<<<");
        } else if !first.is_whitespace() {
            token = Some(&rest[..length]);
        }
        if !first.is_whitespace() {
            at_line_start = false;
        }
        if let Some(text) = token.filter(|_| own) {
            tokens.push(Token { text, file, line, start: whole.len() - rest.len() });
        }
        line += newlines(&rest[..length]);
        rest = &rest[length..];
    }
    tokens
}

/// The length of `<<<` where text starts with it; the preprocessor may have pulled it apart.
pub(crate) fn launch_length(text: &str) -> Option<usize> {
    let rest = text.strip_prefix("<<")?;
    let gap = rest.len() - rest.trim_start_matches(' ').len();
    rest[gap..].starts_with('<').then_some(2 + gap + 1)
}

fn newlines(text: &str) -> u32 {
    u32::try_from(text.bytes().filter(|&byte| byte == b'\n').count()).unwrap_or(u32::MAX)
}

/// `# 12 "file" 1`
fn line_marker(directive: &str) -> Option<(u32, &str)> {
    let (number, rest) = directive.strip_prefix("# ")?.split_once(" \"")?;
    Some((number.parse().ok()?, rest.split_once('"')?.0))
}

/// To the end of the line, which a backslash continues.
fn directive_length(text: &str) -> usize {
    let mut escaped = false;
    for (index, character) in text.char_indices() {
        match character {
            '\n' if !escaped => return index,
            '\r' => {}
            _ => escaped = character == '\\',
        }
    }
    text.len()
}

fn literal_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (index, character) in text.char_indices().skip(1) {
        if character == quote && !escaped {
            return index + 1;
        }
        escaped = character == '\\' && !escaped;
    }
    text.len()
}

fn raw_string_length(text: &str) -> usize {
    let Some(open) = text.find('(') else { return text.len() };
    let close = format!("){}\"", &text[2..open]);
    text.find(&close).map_or(text.len(), |end| end + close.len())
}
