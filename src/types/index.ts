/*
 * What a chain is made of: headers, data, states and genesis, their bytes, hashes and rules. Runs in Node and
 * in browsers.
 */
export * from './codec.ts'
export {
  type Data,
  dataCommitment,
  dataHash,
  EMPTY_DATA_COMMITMENT,
  emptyDataFor,
  isEmptyCommitment,
  type Metadata,
  type P2PData,
  type SignedData,
} from './data.ts'
export { formatGenesis, type Genesis, parseGenesis, validateGenesis } from './genesis.ts'
export {
  encodeLegacyHeader,
  type Header,
  headerHash,
  type LegacyFields,
  marshalPublicKey,
  type P2PSignedHeader,
  proposerAddressOf,
  rawPublicKey,
  type SignedHeader,
  type Signer,
  signerOf,
  signHeader,
  slimHeaderHash,
  type Version,
} from './header.ts'
export { exchangeProtocol, gossipTopic, type SyncKind } from './names.ts'
export { namespaceBytes } from './namespace.ts'
export { initialState, nextState, type State } from './state.ts'
export {
  assertNotFromFuture,
  type InvalidReason,
  validateData,
  validateEnvelope,
  validateHeader,
  validatePair,
  validateProposer,
  validateSequence,
  validateSignedData,
} from './validate.ts'
export { EvolveError, isEvolveError, type Verdict } from '../util/errors.ts'
