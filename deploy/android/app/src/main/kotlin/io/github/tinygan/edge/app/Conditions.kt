package io.github.tinygan.edge.app

import android.annotation.TargetApi
import android.content.Context
import android.os.BatteryManager
import android.os.Build
import android.os.PowerManager
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put

/** What makes a phone slower than it can be. */
data class Conditions(
    /** `nominal`, `fair`, `serious` or `critical`; null before Android 10, which does not tell. */
    val thermalState: String?,
    val isPowerSaving: Boolean,
    val isCharging: Boolean
) {
    /** Returns the object `conditions` of a measured row. */
    fun toJson(): JsonObject = buildJsonObject {
        thermalState?.let { put("thermal_state", it) }
        put("power_saving", isPowerSaving)
        put("charging", isCharging)
    }

    companion object {
        /** Returns the conditions at this moment. */
        fun now(context: Context): Conditions {
            val power = context.getSystemService(PowerManager::class.java)
            return Conditions(
                if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q) Thermal.state(power) else null,
                power.isPowerSaveMode,
                context.getSystemService(BatteryManager::class.java).isCharging
            )
        }
    }

    @TargetApi(Build.VERSION_CODES.Q)
    private object Thermal {
        fun state(power: PowerManager): String = when (power.currentThermalStatus) {
            PowerManager.THERMAL_STATUS_NONE -> "nominal"
            PowerManager.THERMAL_STATUS_LIGHT, PowerManager.THERMAL_STATUS_MODERATE -> "fair"
            PowerManager.THERMAL_STATUS_SEVERE -> "serious"
            else -> "critical"
        }
    }
}
