//! Rewrites what the host's compiler does not understand. Launches: `kernel<T><<<blocks, l2ctrl, stream>>>(arguments)` becomes
//! `::AscendCModel::Launch<kernel<T>>(blocks, l2ctrl, stream)(arguments)`, in place, so that lines stay lines. And the one instruction
//! that kernels name to the assembler: `asm("trap")` becomes `::trap()`.
//!
//! The text is preprocessed: macros are expanded, and comments are gone.

use crate::Error;
use crate::lex::{Token, is_name, launch_length, tokens};

const LAUNCH: &str = " ::AscendCModel::Launch<";

/// Words before a kernel's name that are no part of it.
const KEYWORDS: [&str; 10] =
    ["return", "else", "do", "case", "throw", "co_return", "co_yield", "and", "or", "not"];

/// The text with its launches rewritten, and how many there were.
pub(crate) fn translate(text: &str) -> Result<(String, usize), Error> {
    let tokens = tokens(text, |_| true);
    // What is replaced: start, length, by what.
    let mut edits: Vec<(usize, usize, &str)> = Vec::new();
    let mut count = 0;
    for (index, token) in tokens.iter().enumerate() {
        if let Some((first, last)) = trap(text, &tokens[index..]) {
            edits.push((first, 1 + last - first, "::trap()"));
        }
        // `operator<< <T>` is the operator of a template.
        if token.text != "<<<" || (index > 0 && tokens[index - 1].text == "operator") {
            continue;
        }
        let refused =
            |why: &'static str| Error::Launch { file: token.file.to_owned(), line: token.line, why };
        let name = kernel_start(&tokens, index).ok_or_else(|| refused("no name of a kernel before <<<"))?;
        let close = configuration_end(&tokens, index + 1).ok_or_else(|| refused("no >>>( after <<<"))?;
        edits.push((tokens[name].start, 0, LAUNCH));
        edits.push((token.start, launch_length(&text[token.start..]).unwrap_or(3), ">("));
        // One by one: there may be a directive between them.
        for (offset, new) in [")", "", ""].into_iter().enumerate() {
            edits.push((tokens[close + offset].start, 1, new));
        }
        count += 1;
    }
    edits.sort_by_key(|&(start, length, _)| (start, length));
    let mut translated = String::with_capacity(text.len() + edits.len() * LAUNCH.len());
    let mut copied = 0;
    for (start, length, new) in edits {
        translated.push_str(&text[copied..start]);
        translated.push_str(new);
        copied = start + length;
    }
    translated.push_str(&text[copied..]);
    Ok((translated, count))
}

/// Where `asm("trap")` starts and ends, if it is what the tokens start with.
fn trap(text: &str, tokens: &[Token<'_>]) -> Option<(usize, usize)> {
    let [asm, rest @ ..] = tokens else { return None };
    if !["asm", "__asm", "__asm__"].contains(&asm.text) {
        return None;
    }
    let rest = match rest {
        [volatile, rest @ ..] if ["volatile", "__volatile__"].contains(&volatile.text) => rest,
        _ => rest,
    };
    match rest {
        [open, string, close, ..]
            if open.text == "(" && close.text == ")" && text[string.start..].starts_with("\"trap\"") =>
        {
            Some((asm.start, close.start))
        }
        _ => None,
    }
}

/// The first token of the kernel's name before `end`: `a::b<T>::kernel<U, (1 > 0)>`.
fn kernel_start(tokens: &[Token<'_>], end: usize) -> Option<usize> {
    let text = |index: usize| tokens.get(index).map_or("", |token| token.text);
    let mut start = end;
    loop {
        let previous = start.checked_sub(1)?;
        start = match text(previous) {
            ">" => opening(tokens, previous, "<", ">")?,
            ")" if start == end => return opening(tokens, previous, "(", ")"),
            _ => start,
        };
        start = start.checked_sub(1)?;
        if !is_name(text(start)) || KEYWORDS.contains(&text(start)) {
            return None;
        }
        if start >= 1 && text(start - 1) == "template" {
            start -= 1;
        }
        if start < 2 || text(start - 1) != ":" || text(start - 2) != ":" {
            return Some(start);
        }
        start -= 2;
        let before = start.checked_sub(1).map_or("", text);
        if before != ">" && (!is_name(before) || KEYWORDS.contains(&before)) {
            return Some(start);
        }
    }
}

/// The index of the bracket that the one at `close` closes.
fn opening(tokens: &[Token<'_>], close: usize, open: &str, closed: &str) -> Option<usize> {
    let mut depth = 0usize;
    let mut index = close;
    loop {
        let text = tokens[index].text;
        match text {
            // What is in parentheses may compare.
            ")" if closed != ")" => index = opening(tokens, index, "(", ")")?,
            ";" | "{" | "}" => return None,
            _ if text == closed => depth += 1,
            _ if text == open => {
                depth -= 1;
                if depth == 0 {
                    return Some(index);
                }
            }
            _ => {}
        }
        index = index.checked_sub(1)?;
    }
}

/// The index of the first `>` of the `>>>` that ends a launch's configuration, which starts at `start`.
fn configuration_end(tokens: &[Token<'_>], start: usize) -> Option<usize> {
    let text = |index: usize| tokens.get(index).map_or("", |token| token.text);
    let adjacent =
        |index: usize| text(index) == text(index + 1) && tokens[index].start + 1 == tokens[index + 1].start;
    let mut depth = 0usize;
    // Templates that may be open, outside of brackets.
    let mut templates = 0usize;
    let mut index = start;
    while index < tokens.len() {
        match text(index) {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.checked_sub(1)?,
            ";" if depth == 0 => return None,
            // A shift, as `<<` opens no template.
            "<" if adjacent(index) => index += 1,
            "<" if depth == 0 && text(index + 1) != "=" && is_name(text(index - 1)) => templates += 1,
            ">" if depth == 0 && text(index - 1) != "-" => {
                let run = tokens[index..].iter().take_while(|token| token.text == ">").count();
                // Three before the arguments end the launch, unless so many templates are open that these end.
                if run >= 3 && text(index + run) == "(" && templates < run {
                    return Some(index + run - 3);
                }
                templates = templates.saturating_sub(run);
                index += run - 1;
            }
            _ => {}
        }
        index += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launches(text: &str) -> String {
        let (translated, count) = translate(text).unwrap();
        assert_eq!(translated.matches('\n').count(), text.matches('\n').count());
        assert_eq!(translated.matches("Launch<").count(), count);
        translated.replace(LAUNCH, "$")
    }

    #[test]
    fn launches_are_rewritten_in_place() {
        for (source, expected) in [
            ("k<<<8, nullptr, s>>>(x, y);", "$k>(8, nullptr, s)(x, y);"),
            ("{ a::k<float, 8><<<n, 0, s>>>(x); }", "{$a::k<float, 8>>(n, 0, s)(x); }"),
            ("return ::k<<<n, 0>>>();", "return $::k>(n, 0)();"),
            ("else S<T>::template k<U><<<1, 0, s>>>();", "else $S<T>::template k<U>>(1, 0, s)();"),
            ("k<A<B<C>>, (1 > 0)><<<1, 0, s>>>(x);", "$k<A<B<C>>, (1 > 0)>>(1, 0, s)(x);"),
            ("c ? k<<<1,0,s>>>(x) : l<<<2,0,s>>>(y);", "c ?$k>(1,0,s)(x) :$l>(2,0,s)(y);"),
            ("k\n<<<\n1,\n0, s\n>>>\n(x);", "$k\n>(\n1,\n0, s\n)\n(x);"),
            ("k<< <1, 0, s>> >(x);", "$k>(1, 0, s)(x);"),
        ] {
            let squeeze = |text: &str| text.replace(' ', "").replace("\n\n", "\n");
            assert_eq!(squeeze(&launches(source)), squeeze(expected), "{source}");
        }
    }

    #[test]
    fn brackets_in_the_configuration_are_followed() {
        for (configuration, arguments) in [
            ("f(a >> 3, g(b)), nullptr, p->s", "x"),
            ("n < 8 ? n : 8, nullptr, q.s", "f<g<h<int>>>(y)"),
            ("f<g<h<int>>>(x), nullptr, s[i]", "x"),
            ("sizeof(v<w<int>>), 0, s", "a >> 1, b << 2"),
            ("n >> 3, 0, s", "x"),
            ("1 << 3, 0, f<int>()", "x"),
            ("std::min<int>(a, b), 0, [&] { return s; }()", "\"<<<\", '<'"),
        ] {
            let source = format!("k<<<{configuration}>>>({arguments});");
            assert_eq!(launches(&source), format!("$k>({configuration})({arguments});"), "{source}");
        }
    }

    #[test]
    fn a_trap_of_the_assembler_is_one_of_the_model() {
        let text =
            "void a() { asm(\"trap\"); }\nvoid b() { asm volatile ( \"trap\" ); asm(\"nop\"); f(\"trap\"); }";
        let expected = "void a() { ::trap(); }\nvoid b() { ::trap(); asm(\"nop\"); f(\"trap\"); }";
        assert_eq!(translate(text).unwrap(), (expected.to_owned(), 0));
    }

    #[test]
    fn what_is_no_launch_stays_as_it_is() {
        for text in [
            "const char* a = \"k<<<1, 0, s>>>(x)\"; char b = '<';",
            "auto a = u8R\"x(k<<<1>>>(\")x\"; b << c << d;",
            "friend S& operator<< <>(S&, T<U<V<W>>>);",
            "x = a >> b; y = c<d<e<f>>>(g); a <<= 1;",
        ] {
            assert_eq!(translate(text).unwrap(), (text.to_owned(), 0));
        }
    }

    #[test]
    fn what_is_incomplete_is_refused_with_its_line() {
        for text in ["\n\nk<<<1, 0, s;\n", "\n\nk<<<1, 0, s>>>;\n", "\n\n<<<1, 0, s>>>(x);\n"] {
            let error = translate(text).unwrap_err();
            assert!(matches!(error, Error::Launch { line: 3, .. }), "{error}");
        }
    }
}
