//! Finds the kernels of a source: `__global__` functions, and what they say of the cores that they run on.

use crate::lex::{Token, is_name, tokens};
use crate::{Error, KernelType};

/// A kernel function as the source writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// The name in its namespace.
    pub name: String,
    /// The name with its namespaces.
    pub path: String,
    pub kernel_type: Option<KernelType>,
    /// Whether it stands for many.
    pub is_template: bool,
    pub parameters: Vec<Parameter>,
}

/// A parameter of a kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parameter {
    pub name: String,
    /// The type as it is written; `None` for an address in the device's memory.
    pub value_type: Option<String>,
}

/// Scans text that was preprocessed without expanding macros. Files for which `is_own` is false are skipped.
pub(crate) fn scan(text: &str, is_own: impl Fn(&str) -> bool) -> Result<Vec<Found>, Error> {
    let tokens = tokens(text, is_own);
    if let Some(token) = tokens.iter().find(|token| token.text == "<<<") {
        return Err(Error::HostCode { file: token.file.to_owned(), line: token.line });
    }
    Ok(find(&tokens)?.into_iter().filter(|found| !found.is_template).collect())
}

/// As [`scan`], in a file with host code, and templates as well.
pub(crate) fn scan_with_host_code(text: &str, is_own: impl Fn(&str) -> bool) -> Result<Vec<Found>, Error> {
    find(&tokens(text, is_own))
}

fn find(tokens: &[Token<'_>]) -> Result<Vec<Found>, Error> {
    let mut found = Vec::new();
    // For each open brace at the level of namespaces, the namespace's name; empty if it adds none.
    let mut namespaces: Vec<String> = Vec::new();
    let mut declaration = 0;
    let mut index = 0;
    while let Some(token) = tokens.get(index) {
        index += 1;
        match token.text {
            ";" => declaration = index,
            "}" => {
                namespaces.pop();
                declaration = index;
            }
            "{" => {
                let head = &tokens[declaration..index - 1];
                if let Some(name) = namespace(head) {
                    namespaces.push(name);
                    declaration = index;
                    continue;
                }
                let end = closing(tokens, index);
                if head.iter().any(|token| token.text == "__global__")
                    && let Some((name, rest)) = function(head)
                {
                    let path: Vec<&str> =
                        namespaces.iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
                    let path =
                        path.iter().chain([&name]).fold(String::new(), |path, part| path + "::" + part);
                    let kernel_type = kernel_type(head, &tokens[index..end])?;
                    let is_template = head.iter().any(|token| token.text == "template");
                    let parameters = parameters(rest);
                    found.push(Found { name: name.to_owned(), path, kernel_type, is_template, parameters });
                }
                index = end + 1;
                declaration = index;
            }
            _ => {}
        }
    }
    Ok(found)
}

/// The names of the namespace that a brace after `head` opens; `None` if it opens something else.
fn namespace(head: &[Token<'_>]) -> Option<String> {
    match head {
        [first, second] if first.text == "extern" && second.text == "\"\"" => Some(String::new()),
        _ => {
            let start = head.iter().position(|token| token.text == "namespace")?;
            Some(head[start + 1..].iter().map(|token| token.text).collect())
        }
    }
}

/// The function that is declared: the name after `void`, and what is after the bracket that opens its parameters.
fn function<'t, 'a>(head: &'t [Token<'a>]) -> Option<(&'a str, &'t [Token<'a>])> {
    let at = head
        .windows(3)
        .position(|tokens| tokens[0].text == "void" && is_name(tokens[1].text) && tokens[2].text == "(")?;
    Some((head[at + 1].text, &head[at + 3..]))
}

/// The parameters in tokens that start after the opening bracket.
fn parameters(tokens: &[Token<'_>]) -> Vec<Parameter> {
    let mut found = Vec::new();
    let (mut depth, mut start) = (0usize, 0);
    for (index, token) in tokens.iter().enumerate() {
        match token.text {
            "(" | "<" | "[" | "{" => depth += 1,
            ")" if depth == 0 => {
                found.extend(parameter(&tokens[start..index], found.len()));
                break;
            }
            ")" | ">" | "]" | "}" => depth = depth.saturating_sub(1),
            "," if depth == 0 => {
                found.extend(parameter(&tokens[start..index], found.len()));
                start = index + 1;
            }
            _ => {}
        }
    }
    found
}

/// `__gm__ float *x`, `GM_ADDR x`, `uint32_t n = 1`; nothing for `void`. One without a name gets that of its place.
fn parameter(tokens: &[Token<'_>], place: usize) -> Option<Parameter> {
    let end = tokens.iter().position(|token| token.text == "=").unwrap_or(tokens.len());
    let mut words: Vec<&str> = tokens[..end].iter().map(|token| token.text).collect();
    let before = words.len().checked_sub(2).map(|index| words[index]);
    let qualifies = |word: &str| ["const", "volatile", "unsigned", "signed", "struct", ":"].contains(&word);
    let name = match words.last() {
        Some(last) if is_name(last) && before.is_some_and(|word| !qualifies(word)) => {
            words.pop().map(str::to_owned)
        }
        _ => None,
    };
    if words.is_empty() || words == ["void"] {
        return None;
    }
    let is_address = words.iter().any(|word| ["*", "GM_ADDR"].contains(word));
    let value_type = (!is_address).then(|| words.join(" ").replace(": :", "::"));
    Some(Parameter { name: name.unwrap_or_else(|| format!("argument{place}")), value_type })
}

/// The index of the brace that closes the one before `index`.
fn closing(tokens: &[Token<'_>], index: usize) -> usize {
    let mut depth = 1;
    for (offset, token) in tokens[index..].iter().enumerate() {
        match token.text {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return index + offset;
        }
    }
    tokens.len()
}

fn kernel_type(head: &[Token<'_>], body: &[Token<'_>]) -> Result<Option<KernelType>, Error> {
    let unknown = |token: &Token<'_>, text: String| Error::KernelType {
        file: token.file.to_owned(),
        line: token.line,
        text,
    };
    for (index, token) in body.iter().enumerate() {
        let value = match token.text {
            "KERNEL_TASK_TYPE_DEFAULT" => body.get(index + 2),
            // The kind for one tiling key; there are no tiling keys without the operator framework.
            "KERNEL_TASK_TYPE" => body.get(index + 4),
            _ => continue,
        };
        let Some(value) = value else { continue };
        return match KernelType::of_macro(value.text) {
            Some(kernel_type) => Ok(Some(kernel_type)),
            None => Err(unknown(value, value.text.to_owned())),
        };
    }
    for (index, token) in head.iter().enumerate() {
        match token.text {
            "__vector__" => return Ok(Some(KernelType::AivOnly)),
            "__cube__" => return Ok(Some(KernelType::AicOnly)),
            "__mix__" => {
                let ratio: String = head[index + 1..].iter().take(5).map(|token| token.text).collect();
                return match ratio.as_str() {
                    "(0,1)" => Ok(Some(KernelType::MixAiv10)),
                    "(1,0)" => Ok(Some(KernelType::MixAic10)),
                    "(1,1)" => Ok(Some(KernelType::MixAic11)),
                    "(1,2)" => Ok(Some(KernelType::MixAic12)),
                    _ => Err(unknown(token, format!("__mix__{ratio}"))),
                };
            }
            _ => {}
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {

    use super::*;

    fn names(text: &str) -> Vec<(String, Option<KernelType>)> {
        scan(text, |_| true).unwrap().into_iter().map(|found| (found.path, found.kernel_type)).collect()
    }

    #[test]
    fn every_way_to_write_a_kernel_is_found() {
        let text = r#"
            extern "C" __global__ __aicore__ void plain(GM_ADDR x, int n) { if (n) { f(); } }
            extern "C" { __global__ __aicore__ void inside(uint8_t* x) {} }
            namespace a::b { namespace { __global__ __vector__ void deep(int n) {} } }
            __cube__ __global__ __aicore__ void cubes() {}
            __global__ __mix__(1, 2) __aicore__ void mixed() {}
            __global__ __aicore__ void said() { KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_MIX_AIC_1_1); }
            __global__ __launch_bounds__(4) void bounded() {}
        "#;
        assert_eq!(
            names(text),
            [
                ("::plain".to_owned(), None),
                ("::inside".to_owned(), None),
                ("::a::b::deep".to_owned(), Some(KernelType::AivOnly)),
                ("::cubes".to_owned(), Some(KernelType::AicOnly)),
                ("::mixed".to_owned(), Some(KernelType::MixAic12)),
                ("::said".to_owned(), Some(KernelType::MixAic11)),
                ("::bounded".to_owned(), None),
            ]
        );
    }

    #[test]
    fn parameters_are_addresses_or_values() {
        let text = r#"
            __global__ __aicore__ void k(GM_ADDR x, __gm__ const float *restrict_y, uint32_t n, ns::Tiling<2, int> tiling,
                __gm__ uint8_t*, unsigned long count = (1, 2), const unsigned) {}
            __global__ __aicore__ void none(void) {}
        "#;
        let found = scan(text, |_| true).unwrap();
        let parameters: Vec<(&str, Option<&str>)> =
            found[0].parameters.iter().map(|one| (&*one.name, one.value_type.as_deref())).collect();
        assert_eq!(
            parameters,
            [
                ("x", None),
                ("restrict_y", None),
                ("n", Some("uint32_t")),
                ("tiling", Some("ns :: Tiling < 2 , int >")),
                ("argument4", None),
                ("count", Some("unsigned long")),
                ("argument6", Some("const unsigned")),
            ]
        );
        assert_eq!(found[1].parameters, []);
    }

    #[test]
    fn what_only_looks_like_a_kernel_is_not() {
        let text = r##"
            // __global__ void comment() {}
            /* __global__ void block() {} */
            const char* text = "__global__ void string() {";
            const char* raw = R"x(__global__ void raw() {} )" )x";
            char quote = '"'; int big = 1'000'000;
            #define KERNEL __global__ void \
                macro() {}
            __global__ __aicore__ void declared(int n);
            template <typename T> __global__ __aicore__ void generic(T* x) {}
            struct S { void method() { } };
            void helper() { __global__ int x; }
            __global__ void real() {}
        "##;
        assert_eq!(names(text), [("::real".to_owned(), None)]);
    }

    #[test]
    fn files_of_others_are_skipped_and_lines_counted() {
        let text = "# 1 \"theirs.h\" 1\n__global__ void hidden() {}\n# 10 \"mine.cpp\" 2\n\nint main() { k<<<1, 2>>>(); }\n";
        let error = scan(text, |file| file == "mine.cpp").unwrap_err();
        assert!(matches!(&error, Error::HostCode { file, line: 11 } if file == "mine.cpp"), "{error}");
        assert_eq!(scan(&text[..60], |file| file == "mine.cpp").unwrap(), []);
    }

    #[test]
    fn kinds_that_the_device_has_not_are_refused() {
        let text = "__global__ void k() {\n KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AICORE); }";
        let error = scan(text, |_| true).unwrap_err();
        assert!(
            error.to_string().contains("KERNEL_TYPE_AICORE") && error.to_string().contains(":2:"),
            "{error}"
        );
        assert!(scan("__global__ __mix__(2, 1) void k() {}", |_| true).is_err());
    }
}
