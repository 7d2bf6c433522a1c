import { fromBase64, toBase64 } from '../util/bytes.ts'
import { EvolveError } from '../util/errors.ts'
import { formatTimestamp, parseTimestamp } from './timestamp.ts'

/** How a chain begins. */
export interface Genesis {
  readonly chainId: string
  /** Time of the first block, unix nanoseconds. */
  readonly startTime: bigint
  /** Height of the first block, from 1. */
  readonly initialHeight: number
  /** SHA-256 of the first proposer's raw public key. */
  readonly proposerAddress: Uint8Array
  /** DA height from which blocks can be found; 0 when unknown. */
  readonly daStartHeight: number
  /** Length of a forced-inclusion epoch in DA heights. */
  readonly daEpochForcedInclusion: number
}

const ADDRESS_BYTES = 32
const MAX_TIME = 2n ** 63n - 1n
const DEFAULT_EPOCH = 50

function invalid(field: string, found: unknown, allowed: string): EvolveError {
  const text = found === undefined ? 'nothing' : (JSON.stringify(found) ?? typeof found)
  const shown = text.length > 100 ? `${text.slice(0, 100)}…` : text
  return new EvolveError('INVALID_GENESIS', `genesis: ${field} must be ${allowed}, found ${shown}`, {
    data: { field, found: shown, allowed },
  })
}

const UNSET_ADDRESS = `base64 of the ${ADDRESS_BYTES} bytes of an address`
const TIME_RANGE = 'a time in RFC 3339 after 1970-01-01T00:00:00Z and before 2262-04-11T23:47:16Z'

/**
 * Checks a genesis made by hand or by code. Throws `INVALID_GENESIS` with the name of the field in the file, what
 * it holds, and what it may hold.
 */
export function validateGenesis(genesis: Genesis): void {
  const atLeast = (field: string, value: number, least: number): void => {
    if (!Number.isSafeInteger(value) || value < least) {
      throw invalid(field, value, `a whole number from ${least} to 2^53-1`)
    }
  }
  if (genesis.chainId === '') throw invalid('chain_id', '', 'a name, not empty')
  if (genesis.startTime <= 0n || genesis.startTime > MAX_TIME) {
    throw invalid('start_time', `${genesis.startTime} ns`, TIME_RANGE)
  }
  atLeast('initial_height', genesis.initialHeight, 1)
  if (genesis.proposerAddress.length !== ADDRESS_BYTES) {
    throw invalid('proposer_address', toBase64(genesis.proposerAddress), UNSET_ADDRESS)
  }
  atLeast('da_start_height', genesis.daStartHeight, 0)
  atLeast('da_epoch_forced_inclusion', genesis.daEpochForcedInclusion, 1)
}

function parseObject(text: string): object {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new EvolveError('INVALID_GENESIS', 'genesis: the file is not JSON', { cause })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new EvolveError('INVALID_GENESIS', `genesis: expected a JSON object, found ${text.slice(0, 100)}`)
  }
  return value
}

/**
 * Reads the text of a `genesis.json`. Unknown fields are passed over; `da_start_height` may be missing (0), and so
 * may `da_epoch_forced_inclusion` (50), which older files do not have. Throws `INVALID_GENESIS`.
 * Source: ev-node v1.2.3 pkg/genesis.
 */
export function parseGenesis(text: string): Genesis {
  const file = parseObject(text)
  const field = (name: string): unknown => Reflect.get(file, name) ?? undefined
  const string = (name: string, allowed: string): string => {
    const value = field(name)
    if (typeof value !== 'string') throw invalid(name, value, allowed)
    return value
  }
  const number = (name: string, fallback?: number): number => {
    const value = field(name) ?? fallback
    if (typeof value !== 'number') throw invalid(name, value, 'a whole number up to 2^53-1')
    return value
  }
  const time = string('start_time', TIME_RANGE)
  const startTime = parseTimestamp(time)
  if (startTime === undefined) throw invalid('start_time', time, TIME_RANGE)
  const address = string('proposer_address', UNSET_ADDRESS)
  const proposerAddress = fromBase64(address)
  if (proposerAddress === undefined) throw invalid('proposer_address', address, UNSET_ADDRESS)
  const genesis: Genesis = {
    chainId: string('chain_id', 'a name, not empty'),
    startTime,
    initialHeight: number('initial_height'),
    proposerAddress,
    daStartHeight: number('da_start_height', 0),
    daEpochForcedInclusion: number('da_epoch_forced_inclusion', DEFAULT_EPOCH),
  }
  validateGenesis(genesis)
  return genesis
}

/** Go's JSON encoder escapes these in strings, so that JSON may stand within HTML and JavaScript. */
const ESCAPED = /[<>&\u2028\u2029]/g

/** The text of a `genesis.json` as Go writes it, its time in UTC. Throws `INVALID_GENESIS` for an invalid genesis. */
export function formatGenesis(genesis: Genesis): string {
  validateGenesis(genesis)
  const text = JSON.stringify(
    {
      chain_id: genesis.chainId,
      start_time: formatTimestamp(genesis.startTime),
      initial_height: genesis.initialHeight,
      proposer_address: toBase64(genesis.proposerAddress),
      da_start_height: genesis.daStartHeight,
      da_epoch_forced_inclusion: genesis.daEpochForcedInclusion,
    },
    undefined,
    2,
  )
  return text.replace(ESCAPED, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
