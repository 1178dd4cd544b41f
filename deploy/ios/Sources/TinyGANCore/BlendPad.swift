/// A triangle whose corners are three classes: top, bottom left, bottom right of a square of side 1, y downwards.
public enum BlendPad {
    /// Returns the shares of the three corners at a point, in thousandths that sum to 1000, so that links are short
    /// and say exactly what was drawn. A point outside the triangle counts as one on its border.
    public static func thousandths(x: Double, y: Double) -> [Int] {
        let top = 1 - min(max(y, 0), 1)
        let right = min(max(x - top / 2, 0), 1 - top)
        let first = Int((1000 * top).rounded())
        let last = min(Int((1000 * right).rounded()), 1000 - first)
        return [first, 1000 - first - last, last]
    }

    /// Returns the point of a triple of shares.
    public static func point(of thousandths: [Int]) -> (x: Double, y: Double) {
        guard thousandths.count == 3 else { return (0.5, 2.0 / 3) }
        let top = Double(thousandths[0]) / 1000
        return (Double(thousandths[2]) / 1000 + top / 2, 1 - top)
    }
}

extension Manifest {
    /// Returns the recipe of a blend; classes without a share are left out, and one that is there twice is summed.
    ///
    /// - Parameters:
    ///   - classes: one for each share.
    ///   - thousandths: that sum to 1000.
    /// - Throws: as `Recipe.init`.
    public func recipe(
        blending classes: [Int], thousandths: [Int], seed: UInt64, truncation: Float
    ) throws(TinyGANError) -> Recipe {
        var order: [Int] = []
        var total: [Int: Int] = [:]
        for (index, share) in zip(classes, thousandths) where share > 0 {
            if total[index] == nil { order.append(index) }
            total[index, default: 0] += share
        }
        let shares = order.map { Recipe.Share(classIndex: $0, weight: Float(total[$0, default: 0]) / 1000) }
        return try Recipe(model: modelID, classes: shares, seed: seed, truncation: truncation)
    }
}
