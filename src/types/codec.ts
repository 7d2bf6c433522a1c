/*
 * Bytes of every message that travels, is signed, hashed or stored: protobuf of evnode.v1, in one canonical form.
 * What is decoded here is safe to use: sub-messages are there, heights fit a number, times are below 2^63.
 */
export { encodeHeader } from './header.ts'
export {
  type DAHeaderEnvelope,
  decodeDAHeaderEnvelope,
  decodeHeader,
  decodeP2PSignedHeader,
  decodeSignedHeader,
  encodeDAHeaderEnvelope,
  encodeP2PSignedHeader,
  encodeSignedHeader,
} from './codec-header.ts'
export { encodeData } from './data.ts'
export {
  decodeData,
  decodeP2PData,
  decodeSignedData,
  encodeP2PData,
  encodeSignedData,
} from './codec-data.ts'
export { decodeState, encodeState } from './codec-state.ts'
