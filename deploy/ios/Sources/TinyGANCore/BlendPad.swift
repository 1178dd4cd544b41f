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

    /// Returns shares of which one has changed; the others give or take in proportion to what they have.
    ///
    /// - Parameters:
    ///   - thousandths: three that sum to 1000.
    ///   - corner: 0, 1 or 2.
    ///   - amount: thousandths to add, of which as many count as there is room for.
    public static func stepped(_ thousandths: [Int], corner: Int, by amount: Int) -> [Int] {
        guard thousandths.count == 3, thousandths.indices.contains(corner) else { return thousandths }
        let (second, third) = ((corner + 1) % 3, (corner + 2) % 3)
        let others = thousandths[second] + thousandths[third]
        var changed = thousandths
        changed[corner] = min(max(thousandths[corner] + amount, 0), 1000)
        let rest = 1000 - changed[corner]
        changed[second] = others > 0 ? rest * thousandths[second] / others : rest / 2
        changed[third] = rest - changed[second]
        return changed
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
