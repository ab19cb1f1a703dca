struct Detection {
    float box[4];
    float score;
    int category;
};

// How an integer map was quantised: real = (integer - zero) * scale; a map of floats is as it is.
struct Scale {
    float scale = 1.0f;
    float zero = 0.0f;
};

namespace detail {

struct Level {
    int stride, height, width, scores, sides;  // the last two are places among the maps
    bool scores_last, sides_last;              // whether channels are the last axis
};

template <class T>
inline float real(T value, const Scale& scale) {
    return (static_cast<float>(value) - scale.zero) * scale.scale;
}

// The mean of a distribution over the bins of one side, which are `step` apart.
template <class T>
inline float distance(const T* bins, I step, int count, const Scale& scale) {
    float top = real(bins[0], scale), sum = 0.0f, weighed = 0.0f;
    for (int i = 1; i < count; ++i) top = std::max(top, real(bins[i * step], scale));
    for (int i = 0; i < count; ++i) {
        const float weight = std::exp(real(bins[i * step], scale) - top);
        sum += weight;
        weighed += weight * static_cast<float>(i);
    }
    return weighed / sum;
}

template <class T>
inline void detect_level(const Level& level, int classes, int bins, bool centred, const T* scores, const Scale& of_scores,
                         const T* sides, const Scale& of_sides, float limit, std::vector<Detection>& found) {
    const I places = I(level.height) * level.width, width = 4 * I(bins);
    const I score_step = level.scores_last ? 1 : places, side_step = level.sides_last ? 1 : places;
    const float least = limit / of_scores.scale + of_scores.zero;
    for (I p = 0; p < places; ++p) {
        const T* const row = scores + (level.scores_last ? p * classes : p);
        int best = 0;
        for (int c = 1; c < classes; ++c) if (row[c * score_step] > row[best * score_step]) best = c;
        if (static_cast<float>(row[best * score_step]) < least) continue;
        const T* const first = sides + (level.sides_last ? p * width : p);
        float d[4];
        for (int side = 0; side < 4; ++side) d[side] = distance(first + side * bins * side_step, side_step, bins, of_sides);
        const float x = float(p % level.width) + 0.5f, y = float(p / level.width) + 0.5f, s = float(level.stride);
        const float low[2] = {x - d[0], y - d[1]}, high[2] = {x + d[2], y + d[3]};
        Detection one = {{low[0] * s, low[1] * s, high[0] * s, high[1] * s}, 0.0f, best};
        if (centred) {
            one.box[0] = (low[0] + high[0]) / 2.0f * s;
            one.box[1] = (low[1] + high[1]) / 2.0f * s;
            one.box[2] = (high[0] - low[0]) * s;
            one.box[3] = (high[1] - low[1]) * s;
        }
        one.score = 1.0f / (1.0f + std::exp(-real(row[best * score_step], of_scores)));
        found.push_back(one);
    }
}

}  // namespace detail

// The places whose best class scores at least `threshold`. Logits are compared as they are, integers before they are
// dequantised; boxes are decoded of these places alone, in the form that the graph gave them. Maps are in the order of
// epilogue_inputs.
template <class T>
inline std::vector<Detection> detect(const T* const (&maps)[MAPS], float threshold, const Scale (&scales)[MAPS] = {}) {
    std::vector<Detection> found;
    const float limit = std::log(threshold / (1.0f - threshold));
    for (const auto& level : detail::levels)
        detail::detect_level(level, CLASSES, BINS, CENTRED, maps[level.scores], scales[level.scores],
                             maps[level.sides], scales[level.sides], limit, found);
    return found;
}
