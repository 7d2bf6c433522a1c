declare module 'sodium-native' {
  const sodium: {
    /** Whether a detached ed25519 signature is good. Throws on arguments of wrong length. */
    crypto_sign_verify_detached(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean
  }
  export default sodium
}
