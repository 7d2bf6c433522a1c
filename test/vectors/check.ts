/*
 * Checks files of golden vectors, each section by the code that the node runs.
 */
import { describeError } from '../../src/util/errors.ts'
import { readChain } from './chain-section.ts'
import { Fields, type Mismatch, ShapeError, Tally } from './fields.ts'
import { checkChainBlock, checkChainHead, checkState, checkVerification } from './sections-chain.ts'
import {
  checkBlobCommitment,
  checkBlobContents,
  checkBlobJson,
  checkGenesis,
  checkKey,
  checkNames,
  checkNamespace,
  checkRequest,
  checkResponse,
  checkSignerFile,
  checkStoreKeys,
} from './sections-other.ts'
import { checkData, checkHeader, checkSignedData, checkSignedHeader } from './sections-types.ts'

export type { Mismatch } from './fields.ts'

/** What {@link checkVectors} found. */
export interface Report {
  /** Comparisons that came out equal. */
  readonly passed: number
  readonly mismatches: readonly Mismatch[]
}

/** Options of a check. */
export interface CheckOptions {
  /** The time that the file is judged at, unix nanoseconds. */
  readonly now: bigint
  /** Checks only this case of sections that are lists. */
  readonly only?: number
}

interface Context extends CheckOptions {
  readonly tally: Tally
  readonly file: unknown
  readonly section: string
}

type SectionCheck = (value: unknown, context: Context) => Promise<void>
type CaseCheck = (fields: Fields, context: Context, value: unknown) => Promise<void> | void

async function checkCase(name: string, value: unknown, context: Context, check: CaseCheck): Promise<void> {
  const { tally, section } = context
  try {
    const fields = new Fields(tally, section, name, value)
    await check(fields, context, value)
    fields.finish()
  } catch (error) {
    if (error instanceof ShapeError) tally.record(section, name, error.field, error.expected, error.got)
    else tally.record(section, name, '(case)', 'a case that can be checked', describeError(error))
  }
}

function nameOf(value: unknown, index: number): string {
  const name: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, 'name') : undefined
  return typeof name === 'string' ? `${index} ${name}` : String(index)
}

async function checkCases(cases: unknown, context: Context, check: CaseCheck): Promise<void> {
  if (!Array.isArray(cases) || cases.length === 0) {
    context.tally.record(context.section, '', '', 'a list of cases', JSON.stringify(cases) ?? 'nothing')
    return
  }
  for (const [index, value] of cases.entries()) {
    if (context.only !== undefined && context.only !== index) continue
    await checkCase(nameOf(value, index), value, context, check)
  }
}

const list =
  (check: CaseCheck): SectionCheck =>
  (cases, context) =>
    checkCases(cases, context, check)

const object =
  (check: CaseCheck): SectionCheck =>
  (value, context) =>
    checkCase('', value, context, check)

async function checkChain(value: unknown, context: Context): Promise<void> {
  await checkCase('', value, context, async (fields) => {
    const head = checkChainHead(fields)
    const blocks = fields.list('blocks')
    const { blocks: known } = readChain(context.file)
    await checkCases(blocks, context, (block) => {
      const height = Number(block.uint64('height'))
      const first = known.keys().next().value
      const below = known.get(height - 1)
      if (height !== first) block.holds('height', 'above a block of the chain', () => below !== undefined)
      checkChainBlock(block, head, below)
    })
  })
}

/** What each section is checked by. */
const SECTIONS: Readonly<Record<string, SectionCheck>> = {
  headers: list(checkHeader),
  data: list(checkData),
  signed_headers: list((fields, { now }) => checkSignedHeader(fields, now)),
  chain: checkChain,
  verify_headers: list((fields, { now }) => checkVerification(fields, now)),
  state_checks: list((fields, { file }) => checkState(fields, readChain(file))),
  signed_data: list(checkSignedData),
  namespaces: list(checkNamespace),
  blob_commitments: object(async (fields, context) => {
    checkBlobContents(fields)
    await checkCases(fields.list('cases'), context, checkBlobCommitment)
  }),
  blob_json: object((fields, _context, value) => checkBlobJson(fields, value)),
  signer_files: list(checkSignerFile),
  keys: list(checkKey),
  genesis_json: async (value, { tally, file }) => checkGenesis(tally, value, readChain(file)),
  header_exchange_requests: list(checkRequest),
  header_exchange_responses: list(checkResponse),
  names: object(checkNames),
  store_keys: object((fields, { file }) => checkStoreKeys(fields, readChain(file))),
  about: checkAbout,
  seed: checkSeed,
}

/** Names of all sections, in the order in which they are checked. */
export const SECTION_NAMES: readonly string[] = Object.keys(SECTIONS)

async function checkAbout(value: unknown, { tally }: Context): Promise<void> {
  const text = typeof value === 'string' && value !== ''
  tally.record('about', '', '', 'a text', text ? 'a text' : JSON.stringify(value))
}

async function checkSeed(value: unknown, { tally }: Context): Promise<void> {
  const whole = Number.isSafeInteger(value)
  tally.record('seed', '', '', 'a whole number', whole ? 'a whole number' : JSON.stringify(value))
}

/** Checks one section of a file. */
export async function checkSection(file: object, section: string, options: CheckOptions): Promise<Report> {
  const tally = new Tally()
  const check = SECTIONS[section]
  if (!Object.hasOwn(file, section)) tally.record(section, '', '', 'a section', 'nothing')
  else if (check === undefined) tally.record(section, '', '', 'no such section', 'one that nothing checks')
  else await check(Reflect.get(file, section), { ...options, tally, file, section })
  return tally
}

/**
 * Checks every section of a file: each that must be there, and each that is. A section that is missing, empty or
 * unknown is a mismatch.
 */
export async function checkVectors(file: object, options: CheckOptions): Promise<Report> {
  const names = new Set([...SECTION_NAMES, ...Object.keys(file)])
  let passed = 0
  const mismatches: Mismatch[] = []
  for (const name of names) {
    const report = await checkSection(file, name, options)
    passed += report.passed
    mismatches.push(...report.mismatches)
    if (report.passed + report.mismatches.length === 0) {
      mismatches.push({ section: name, name: '', field: '', expected: 'something to check', got: 'nothing' })
    }
  }
  return { passed, mismatches }
}
