/// Draws images with the Core ML packages of a manifest; on a platform without Core ML this module is empty.
import TinyGANCore
