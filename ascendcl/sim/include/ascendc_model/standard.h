// The parts of the C++ standard library that the device's library offers under its own name.
#ifndef ASCENDC_MODEL_STANDARD_H
#define ASCENDC_MODEL_STANDARD_H

#include <algorithm>
#include <tuple>
#include <type_traits>
#include <utility>

namespace AscendC {
namespace Std {

using std::add_const;
using std::conditional;
using std::conditional_t;
using std::decay_t;
using std::enable_if;
using std::enable_if_t;
using std::false_type;
using std::forward;
using std::forward_as_tuple;
using std::get;
using std::integer_sequence;
using std::integral_constant;
using std::is_base_of;
using std::is_base_of_v;
using std::is_convertible;
using std::is_convertible_v;
using std::is_integral;
using std::is_integral_v;
using std::is_same;
using std::is_same_v;
using std::make_tuple;
using std::max;
using std::min;
using std::move;
using std::remove_const_t;
using std::remove_cv_t;
using std::remove_reference_t;
using std::tie;
using std::true_type;
using std::tuple;
using std::tuple_cat;
using std::tuple_element;
using std::tuple_element_t;
using std::tuple_size;
using std::tuple_size_v;

} // namespace Std

template <typename T, typename U> using IsSameType = std::is_same<T, U>;
template <bool condition, typename T, typename U> using Conditional = std::conditional<condition, T, U>;

} // namespace AscendC

#endif
