/*
 * What is told of a message: once as fields for programs, once as lines for people.
 */
import { sha256 } from '#crypto'
import { type Data, dataCommitment, dataHash, isEmptyCommitment } from '../../types/data.ts'
import { type Header, headerHash, type SignedHeader } from '../../types/header.ts'
import type { Signer } from '../../types/signer.ts'
import { formatTimestamp } from '../../types/timestamp.ts'
import { validateData, validateEnvelope, validateHeader, validateSignedData } from '../../types/validate.ts'
import { fromUtf8, toHex } from '../../util/bytes.ts'
import { describeError, EvolveError } from '../../util/errors.ts'
import type { DataMessage, HeaderMessage } from './message.ts'

/** What is told of a message. */
export interface Description {
  readonly fields: Readonly<Record<string, unknown>>
  /** Label and value. */
  readonly lines: readonly (readonly [label: string, value: string])[]
  /** What is wrong with it; none when all that can be checked is right. */
  readonly problems: readonly string[]
}

/** Transactions that are shown to people; programs get them all. */
const SHOWN_TXS = 20
const SHOWN_TX_BYTES = 48

/** What a check says is wrong; undefined when nothing is. */
function problemOf(check: () => void): string | undefined {
  try {
    check()
    return undefined
  } catch (error) {
    if (error instanceof EvolveError) return describeError(error)
    throw error
  }
}

const hexOrNone = (bytes: Uint8Array): string => (bytes.length === 0 ? 'none' : toHex(bytes))
const verdict = (problem: string | undefined): string =>
  problem === undefined ? 'valid' : `WRONG: ${problem}`
const present = (problems: readonly (string | undefined)[]): string[] => [
  ...new Set(problems.filter((problem) => problem !== undefined)),
]

function timeOf(time: bigint): string {
  return time === 0n ? 'none' : formatTimestamp(time)
}

function describeHeader(header: Header): Omit<Description, 'problems'> {
  const { version, height, time, chainId, legacy } = header
  const hex = {
    last_header_hash: toHex(header.lastHeaderHash),
    data_hash: toHex(header.dataHash),
    app_hash: toHex(header.appHash),
    proposer_address: toHex(header.proposerAddress),
    validator_hash: toHex(header.validatorHash),
  }
  return {
    fields: {
      hash: toHex(headerHash(header)),
      chain_id: chainId,
      height,
      time: timeOf(time),
      time_ns: String(time),
      version: { block: Number(version.block), app: Number(version.app) },
      ...hex,
      legacy:
        legacy === undefined
          ? null
          : {
              last_commit_hash: toHex(legacy.lastCommitHash),
              consensus_hash: toHex(legacy.consensusHash),
              last_results_hash: toHex(legacy.lastResultsHash),
            },
    },
    lines: [
      ['chain', chainId === '' ? 'none' : JSON.stringify(chainId).slice(1, -1)],
      ['height', String(height)],
      ['time', timeOf(time)],
      ['hash', toHex(headerHash(header))],
      ['last header', hexOrNone(header.lastHeaderHash)],
      [
        'data hash',
        `${hexOrNone(header.dataHash)}${isEmptyCommitment(header.dataHash) ? ' (no transactions)' : ''}`,
      ],
      ['state before', hexOrNone(header.appHash)],
      ['proposer', hexOrNone(header.proposerAddress)],
      ['validators', hexOrNone(header.validatorHash)],
      ['version', `block ${version.block}, app ${version.app}`],
      ...(legacy === undefined ? [] : [['form', 'old: it is hashed with its legacy fields'] as const]),
    ],
  }
}

function signerFields({ address, publicKey }: Signer): Readonly<Record<string, string>> {
  return { address: toHex(address), public_key: toHex(publicKey) }
}

function describeSigned(signed: SignedHeader): Description {
  const base = describeHeader(signed.header)
  const problem = problemOf(() => validateHeader(signed))
  return {
    fields: {
      ...base.fields,
      signer: signerFields(signed.signer),
      signature: { bytes: toHex(signed.signature), valid: problem === undefined, problem: problem ?? null },
    },
    lines: [
      ...base.lines,
      ['signer key', hexOrNone(signed.signer.publicKey)],
      ['signature', verdict(problem)],
    ],
    problems: present([problem]),
  }
}

/** Describes a header, and says whether it is complete and signed by the proposer it names. */
export function describeHeaderMessage(message: HeaderMessage): Description {
  if (message.type === 'Header') {
    const { fields, lines } = describeHeader(message.header)
    return { fields, lines: [...lines, ['signature', 'none: only the header itself']], problems: [] }
  }
  const base = describeSigned(message.header)
  if (message.type === 'P2PSignedHeader') {
    const { daHeightHint } = message
    return {
      ...base,
      fields: { ...base.fields, da_height_hint: daHeightHint },
      lines: [
        ...base.lines,
        ['DA height', daHeightHint === 0 ? 'not known to who sent it' : hint(daHeightHint)],
      ],
    }
  }
  if (message.type === 'SignedHeader') return base
  const { header, envelopeSignature } = message
  const problem = problemOf(() => validateEnvelope({ header, envelopeSignature }))
  return {
    fields: {
      ...base.fields,
      envelope_signature: {
        bytes: toHex(envelopeSignature),
        valid: problem === undefined,
        problem: problem ?? null,
      },
    },
    lines: [...base.lines, ['envelope', verdict(problem)]],
    problems: present([...base.problems, problem]),
  }
}

const hint = (height: number): string => `${height}, as who sent it says`

function describeData(data: Data): Omit<Description, 'problems'> {
  const { metadata, txs } = data
  const bytes = txs.reduce((sum, tx) => sum + tx.length, 0)
  return {
    fields: {
      hash: toHex(dataHash(data)),
      commitment: toHex(dataCommitment(data)),
      chain_id: metadata?.chainId ?? null,
      height: metadata?.height ?? null,
      time: metadata === undefined ? null : timeOf(metadata.time),
      time_ns: metadata === undefined ? null : String(metadata.time),
      last_data_hash: metadata === undefined ? null : toHex(metadata.lastDataHash),
      tx_count: txs.length,
      tx_bytes: bytes,
      txs: txs.map((tx) => ({ hash: toHex(sha256(tx)), size: tx.length, data: toHex(tx) })),
    },
    lines: [
      ['chain', metadata === undefined ? 'none' : JSON.stringify(metadata.chainId).slice(1, -1)],
      ['height', String(metadata?.height ?? 'none')],
      ['time', timeOf(metadata?.time ?? 0n)],
      ['hash', toHex(dataHash(data))],
      ['commitment', `${toHex(dataCommitment(data))} (data hash of its header)`],
      ['last data', hexOrNone(metadata?.lastDataHash ?? new Uint8Array(0))],
      ['transactions', `${txs.length}, ${bytes} bytes`],
      ...txs.slice(0, SHOWN_TXS).map((tx, index) => [`  ${index}`, describeTx(tx)] as const),
      ...(txs.length > SHOWN_TXS
        ? [['', `… ${txs.length - SHOWN_TXS} more; --json tells all`] as const]
        : []),
    ],
  }
}

/** Hash, size and beginning of a transaction, as text if it is text. */
function describeTx(tx: Uint8Array): string {
  const text = fromUtf8(tx)
  const shown =
    text !== undefined && !/\p{C}/u.test(text) ? JSON.stringify(text) : toHex(tx.subarray(0, SHOWN_TX_BYTES))
  const cut = shown.length > SHOWN_TX_BYTES ? `${shown.slice(0, SHOWN_TX_BYTES)}…` : shown
  return `${toHex(sha256(tx))}  ${String(tx.length).padStart(6)} bytes  ${cut}`.trimEnd()
}

/** Describes data, and says whether it is complete and, where it is signed, by whom. */
export function describeDataMessage(message: DataMessage): Description {
  const base = describeData(message.data)
  if (message.type === 'SignedData') {
    const { signed } = message
    const problem = problemOf(() => validateSignedData(signed))
    return {
      fields: {
        ...base.fields,
        signer: signerFields(signed.signer),
        signature: { bytes: toHex(signed.signature), valid: problem === undefined, problem: problem ?? null },
      },
      lines: [
        ...base.lines,
        ['signer', hexOrNone(signed.signer.address)],
        ['signer key', hexOrNone(signed.signer.publicKey)],
        ['signature', verdict(problem)],
      ],
      problems: present([problem]),
    }
  }
  const problems = present([problemOf(() => validateData(message.data))])
  if (message.type === 'Data') return { ...base, problems }
  const { daHeightHint } = message
  return {
    fields: { ...base.fields, da_height_hint: daHeightHint },
    lines: [
      ...base.lines,
      ['DA height', daHeightHint === 0 ? 'not known to who sent it' : hint(daHeightHint)],
    ],
    problems,
  }
}
