package io.github.tinygan.edge.app

/** A class that can be chosen: its button, its place in the settings. */
enum class Slot(val button: Int, val hint: Int = R.string.class_hint) {
    START(R.id.class_button),
    END(R.id.morph_class_button),
    FIRST(R.id.corner_first, R.string.corner_hint),
    SECOND(R.id.corner_second, R.string.corner_hint),
    THIRD(R.id.corner_third, R.string.corner_hint)
    ;

    private val corner: Int get() = ordinal - FIRST.ordinal

    /** Returns the class that is chosen. */
    fun shown(settings: Settings): Int = when (this) {
        START -> settings.classIndex
        END -> settings.endClass
        FIRST, SECOND, THIRD -> settings.corners[corner]
    }

    /** Returns the settings with another class; a corner that has it already changes places with this one. */
    fun choose(settings: Settings, index: Int): Settings = when (this) {
        START -> settings.copy(classIndex = index)

        END -> settings.copy(endClass = index)

        FIRST, SECOND, THIRD -> {
            val weights = BlendPad.weightsOf(settings.corners, settings.blend)
            val old = settings.corners[corner]
            val corners = settings.corners.mapIndexed { place, shown ->
                if (place == corner) {
                    index
                } else if (shown == index) {
                    old
                } else {
                    shown
                }
            }
            settings.copy(corners = corners, blend = BlendPad.shares(corners, weights))
        }
    }
}
