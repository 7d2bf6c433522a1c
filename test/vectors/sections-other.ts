/*
 * Sections about names, keys, files and what travels besides blocks.
 */
import { ed25519PublicKey } from '#crypto'
import { blobFromJson, blobId, blobToJson, createBlob, hasTrueCommitment } from '../../src/da/blob.ts'
import { shareCommitment } from '../../src/da/commitment.ts'
import {
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
  type HeaderRequest,
  ResponseStatus,
} from '../../src/header/exchange/codec.ts'
import { generateNodeKey, peerIdOf } from '../../src/p2p/identity.ts'
import { openSignerFile, sealSignerFile } from '../../src/signer/file.node.ts'
import { dataDaHeightName, headerDaHeightName, KEYS } from '../../src/store/keys.ts'
import { formatGenesis, parseGenesis } from '../../src/types/genesis.ts'
import { marshalPublicKey, proposerAddressOf, rawPublicKey } from '../../src/types/header.ts'
import { exchangeProtocol, gossipTopic } from '../../src/types/names.ts'
import { namespaceBytes } from '../../src/types/namespace.ts'
import { formatTimestamp } from '../../src/types/timestamp.ts'
import { fromBase64, utf8 } from '../../src/util/bytes.ts'
import { describeError } from '../../src/util/errors.ts'
import type { FileChain } from './chain-section.ts'
import { type Fields, ShapeError, type Tally } from './fields.ts'
import { indexName } from './sections-chain.ts'
import { textOf } from './read.ts'

/** A case of `namespaces`. */
export function checkNamespace(fields: Fields): void {
  const configured = fields.text('string')
  fields.sameBytes('namespace', fields.presentBytes('namespace'), () => namespaceBytes(configured))
}

/** How contents of `blob_commitments` are made, in the words of the file: the only way that this check knows. */
const BLOB_CONTENTS = 'byte i of a blob of n bytes is (i*7 + n) mod 251'

const MAX_BLOB_BYTES = 32 * 1024 * 1024

/** The text of `blob_commitments` that says how contents are made. */
export function checkBlobContents(fields: Fields): void {
  fields.same('data', fields.text('data'), () => BLOB_CONTENTS)
}

/** A case of `blob_commitments`. */
export function checkBlobCommitment(fields: Fields): void {
  const length = fields.integer('data_length')
  if (length < 1 || length > MAX_BLOB_BYTES) {
    throw new ShapeError('data_length', `a length from 1 to ${MAX_BLOB_BYTES}`, String(length))
  }
  const namespace = fields.presentBytes('namespace')
  const data = new Uint8Array(length).map((_, i) => (i * 7 + length) % 251)
  const commitment = shareCommitment(namespace, data)
  fields.sameBytes('commitment', fields.presentBytes('commitment'), () => commitment)
  fields.sameBytes('id_at_height_42', fields.presentBytes('id_at_height_42'), () => blobId(42, commitment))
}

/** The blob of `blob_json`. */
export function checkBlobJson(fields: Fields, value: unknown): void {
  const namespace = fromBase64(fields.text('namespace'))
  const data = fromBase64(fields.text('data'))
  fields.text('commitment')
  fields.integer('share_version')
  fields.integer('index')
  if (namespace === undefined || data === undefined) throw new ShapeError('data', 'base64', 'something else')
  fields.same('commitment', textOf(value), () => textOf(blobToJson(createBlob(namespace, data))))
  fields.same('data', textOf(value), () => textOf(blobToJson(blobFromJson(value))))
  fields.holds('commitment', 'the commitment of the data', () => hasTrueCommitment(blobFromJson(value)))
}

/** A case of `signer_files`: it opens to the key, and encrypting the key again gives the same text. */
export async function checkSignerFile(fields: Fields): Promise<void> {
  const text = fields.text('signer_json')
  const passphrase = fields.text('passphrase')
  const seed = fields.presentBytes('private_key_seed')
  const address = fields.presentBytes('address')
  const signature = fields.presentBytes('signature_of_hello')
  try {
    const key = await openSignerFile(text, passphrase)
    fields.sameBytes('private_key_seed', seed, () => key.seed)
    fields.sameBytes('address', address, () => key.address)
    fields.sameBytes('signature_of_hello', signature, () => key.sign(utf8('hello')))
  } catch (error) {
    fields.same('signer_json', 'a file that opens', () => describeError(error))
    return
  }
  const file: unknown = JSON.parse(text)
  const bytes = (name: string): Uint8Array => {
    const value: unknown = typeof file === 'object' && file !== null ? Reflect.get(file, name) : undefined
    return (typeof value === 'string' ? fromBase64(value) : undefined) ?? new Uint8Array(0)
  }
  const again = await sealSignerFile(seed, passphrase, { salt: bytes('salt'), nonce: bytes('nonce') })
  fields.same('signer_json', text, () => again)
}

/** A case of `keys`. */
export function checkKey(fields: Fields): void {
  const seed = fields.presentBytes('private_key_seed')
  const publicKey = ed25519PublicKey(seed)
  const address = fields.presentBytes('address')
  const marshalled = fields.presentBytes('marshalled_public_key')
  fields.sameBytes('marshalled_public_key', marshalled, () => marshalPublicKey(publicKey))
  fields.sameBytes('marshalled_public_key', publicKey, () => rawPublicKey({ address, publicKey: marshalled }))
  fields.sameBytes('address', address, () => proposerAddressOf(publicKey))
  fields.same('peer_id', fields.text('peer_id'), () => peerIdOf(generateNodeKey(() => seed)))
}

/** The text of `genesis_json`: reading and writing it gives the same bytes, and it begins the file's chain. */
export function checkGenesis(tally: Tally, value: unknown, chain: FileChain): void {
  const record = (field: string, expected: string, got: string): void =>
    tally.record('genesis_json', '', field, expected, got)
  if (typeof value !== 'string' || value === '') {
    record('', 'the text of a genesis file', JSON.stringify(value))
    return
  }
  try {
    const genesis = parseGenesis(value)
    // Any offset is read; UTC is written.
    const utc = value.replace(
      /("start_time": )"[^"]*"/,
      (_, key: string) => `${key}"${formatTimestamp(genesis.startTime)}"`,
    )
    record('', /"start_time": "[^"]*Z"/.test(value) ? value : utc, formatGenesis(genesis))
    const first = chain.blocks.values().next().value?.header.header
    record('chain_id', genesis.chainId, chain.chainId)
    record('initial_height', String(genesis.initialHeight), String(first?.height))
    record('proposer_address', textOf(genesis.proposerAddress), textOf(first?.proposerAddress))
    const early = first !== undefined && genesis.startTime <= first.time
    record('start_time', 'not after the first block', early ? 'not after the first block' : 'after it')
  } catch (error) {
    record('', 'a genesis that can be read', describeError(error))
  }
}

function readRequest(fields: Fields): HeaderRequest {
  const amount = fields.uint64('amount')
  if (fields.has('hash')) return { hash: fields.presentBytes('hash'), amount }
  return { origin: fields.uint64('origin'), amount }
}

/** A case of `header_exchange_requests`. */
export function checkRequest(fields: Fields): void {
  const request = readRequest(fields)
  const binary = fields.presentBytes('binary')
  fields.sameBytes('binary', binary, () => encodeRequest(request))
  fields.same('binary', textOf(request), () => textOf(decodeRequest(binary)))
}

const STATUS_NAMES: Readonly<Record<string, number>> = {
  INVALID: ResponseStatus.Invalid,
  OK: ResponseStatus.Ok,
  NOT_FOUND: ResponseStatus.NotFound,
}

/** A case of `header_exchange_responses`. */
export function checkResponse(fields: Fields): void {
  const name = fields.text('status_code')
  const status = STATUS_NAMES[name]
  if (status === undefined) throw new ShapeError('status_code', Object.keys(STATUS_NAMES).join(', '), name)
  const body = fields.bytes('body')
  const binary = fields.presentBytes('binary')
  fields.sameBytes('binary', binary, () => encodeResponse(body, status))
  fields.same('binary', textOf({ body, status }), () => textOf(decodeResponse(binary)))
}

/** The names of `names`. */
export function checkNames(fields: Fields): void {
  const chainId = fields.text('chain_id')
  const same = (field: string, got: string): void => fields.same(field, fields.text(field), () => got)
  same('header_exchange_protocol', exchangeProtocol(chainId, 'headerSync'))
  same('data_exchange_protocol', exchangeProtocol(chainId, 'dataSync'))
  same('header_topic', gossipTopic(chainId, 'headerSync'))
  same('data_topic', gossipTopic(chainId, 'dataSync'))
}

/**
 * The keys of `store_keys`. The layout is that of another database; ours shares the names of DA heights, the
 * letters of headers, data, index and metadata, and the hash that the index goes by. We keep the signature with its
 * header: that key is compared with the letter the reference gives it.
 */
export function checkStoreKeys(fields: Fields, chain: FileChain): void {
  const same = (field: string, got: string): void => fields.same(field, fields.text(field), () => got)
  const letter = (code: number): string => String.fromCharCode(code)
  same('da_height_of_header_7', headerDaHeightName(7))
  same('da_height_of_data_7', dataDaHeightName(7))
  same('header_at_7', `/${letter(KEYS.headers)}/7`)
  same('data_at_7', `/${letter(KEYS.data)}/7`)
  same('signature_at_7', '/c/7')
  same('meta_x', `/${letter(KEYS.metadata)}/x`)
  const first = chain.blocks.values().next().value
  same('index', `/${letter(KEYS.headerHashes)}/${first === undefined ? '' : indexName(first)}`)
}
