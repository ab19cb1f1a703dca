using I = std::int64_t;

// Calls f(at) at every place of shape; at[n] is the offset of tensor n there.
template <std::size_t R, std::size_t N, class F>
inline void each(const I (&shape)[R], const I (&strides)[N][R], I (&at)[N], F f) {
    I index[R] = {};
    for (;;) {
        for (I i = 0; i < shape[R - 1]; ++i) {
            f(static_cast<const I*>(at));
            for (std::size_t n = 0; n < N; ++n) at[n] += strides[n][R - 1];
        }
        for (std::size_t n = 0; n < N; ++n) at[n] -= strides[n][R - 1] * shape[R - 1];
        std::size_t axis = R - 1;
        for (; axis > 0; --axis) {
            for (std::size_t n = 0; n < N; ++n) at[n] += strides[n][axis - 1];
            if (++index[axis - 1] < shape[axis - 1]) break;
            for (std::size_t n = 0; n < N; ++n) at[n] -= strides[n][axis - 1] * shape[axis - 1];
            index[axis - 1] = 0;
        }
        if (axis == 0) return;
    }
}

// Calls f(first) for each of outer * inner lanes of length n; neighbours in a lane are inner apart.
template <class F>
inline void lanes(I outer, I n, I inner, F f) {
    for (I o = 0; o < outer; ++o)
        for (I i = 0; i < inner; ++i) f(o * n * inner + i, o * inner + i);
}

// Rounds half to even, whatever the rounding mode of the thread is.
template <class T>
inline T half_even(T value) {
    const T low = std::floor(value), rest = value - low;
    const bool up = rest > T(0.5) || (rest == T(0.5) && std::fmod(low, T(2)) != T(0));
    return up ? low + T(1) : low;
}

// Rounds half to even, then saturates.
template <class Q, class T>
inline Q quantise(T x, T scale, T zero) {
    const T rounded = half_even(x / scale) + zero;
    const T least = T(std::numeric_limits<Q>::min()), most = T(std::numeric_limits<Q>::max());
    if (!(rounded > least)) return std::numeric_limits<Q>::min();
    return rounded < most ? static_cast<Q>(rounded) : std::numeric_limits<Q>::max();
}

// An index with negative ones counted from the end; what is out of range is brought to the nearest end.
inline I inside(I index, I size) {
    const I counted = index < 0 ? index + size : index;
    return counted < 0 ? 0 : counted < size ? counted : size - 1;
}
