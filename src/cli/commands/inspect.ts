import type { Command } from 'commander'
import { fromUtf8 } from '../../util/bytes.ts'
import { describeError, EvolveError, isEvolveError } from '../../util/errors.ts'
import { TYPING } from '../console.ts'
import type { CliContext } from '../context.ts'
import { addRpcOption, askNode } from '../node-client.ts'
import { describeBlock } from '../inspect/block.ts'
import { type JsonBlob, readBlobJson } from '../inspect/blob-json.ts'
import { describeDataMessage, describeHeaderMessage, type Description } from '../inspect/describe.ts'
import { describeGenesis } from '../inspect/genesis.ts'
import { type Given, readGiven, whyNotEncoded } from '../inspect/input.ts'
import {
  type DataMessage,
  type HeaderMessage,
  readBlobMessage,
  readDataMessage,
  readHeaderMessage,
} from '../inspect/message.ts'

/** What these commands need of the world. */
export type InspectContext = Pick<CliContext, 'print' | 'console' | 'terminal' | 'env' | 'variables'>

const INPUT = 'a file, - for standard input, or the bytes themselves in hex (0x or not) or base64'

const EXIT_CODES = `
Exit codes: 0 read, and all that can be checked is right; 1 read, but a signature or a rule is wrong; 2 not what it
should be.`

const EXAMPLES = `
Which message it is and how it is written down is found out, and said.

Examples:
  evolve inspect header 0x0a8d010a...
  evolve inspect data block-12.bin --json
  evolve inspect blob - < answer.json
  evolve inspect genesis ~/my-chain/config/genesis.json
${EXIT_CODES}`

const HEADER_EXAMPLES = `
Takes Header, SignedHeader, P2PSignedHeader (from peers and stores) and DAHeaderEnvelope (from DA), and checks the
signature of its proposer.

Examples:
  evolve inspect header header.bin
  evolve inspect header 0x0a8d010a... --json
  xxd -p header.bin | evolve inspect header -
${EXIT_CODES}`

const DATA_EXAMPLES = `
Takes Data, P2PData (from peers and stores) and SignedData (from DA), whose signature is checked.

Examples:
  evolve inspect data data.bin
  evolve inspect data CkEKBm15LWNoYWlu... --json
  base64 data.bin | evolve inspect data -
${EXIT_CODES}`

const BLOB_EXAMPLES = `
Takes what a blob of the chain's namespaces holds: a header in its envelope, or signed data; also as a DA node's
JSON-RPC gives it, one blob, a list of them, or a whole answer. All signatures are checked.

Examples:
  evolve inspect blob blob.bin
  curl -s -d '{"jsonrpc":"2.0","id":1,"method":"blob.GetAll","params":[12,["AAAA..."]]}' http://127.0.0.1:7980 \\
    | evolve inspect blob -
${EXIT_CODES}`

const GENESIS_EXAMPLES = `
Examples:
  evolve inspect genesis ~/my-chain/config/genesis.json
  evolve inspect genesis - --json < genesis.json
${EXIT_CODES}`

const BLOCK_EXAMPLES = `
Asks a running node, and checks what it answers: signature, and that header and data belong together.

Examples:
  evolve inspect block latest
  evolve inspect block 12 --home ~/my-chain
  evolve inspect block 6b6f0a1e... --rpc http://203.0.113.7:7331 --json

Exit codes: 0 told, and all is right; 1 the node does not answer or has no such block, or something in it is wrong; 2
something given is wrong.`

interface Options {
  readonly json?: true
}

/** One thing that was looked into. */
interface Found extends Description {
  readonly type: string
  /** How it came, for people, and for programs. */
  readonly heading: string
  readonly origin: Readonly<Record<string, unknown>>
}

/** Adds `evolve inspect` with `header`, `data`, `blob`, `genesis` and `block`. */
export function addInspect(program: Command, context: InspectContext): Command {
  const inspect = program
    .command('inspect')
    .description('decode a header, data, a DA blob or a genesis, and check its signatures')
    .addHelpText('after', EXAMPLES)
  const add = (
    name: string,
    description: string,
    examples: string,
    read: (given: Given) => readonly Found[],
  ): void => {
    inspect
      .command(name)
      .description(description)
      .argument('<input>', INPUT)
      .option('--json', 'as JSON')
      .addHelpText('after', examples)
      .action(async (input: string, { json }: Options) => {
        if (input === '-' && context.console.interactive) context.terminal.write(TYPING)
        const found = read(await readGiven(input, context.console))
        tell(context, found, json === true)
      })
  }
  add('header', 'decode a header and check its signature', HEADER_EXAMPLES, (given) => [
    decodeAs(given, readHeaderMessage, describeHeaderMessage),
  ])
  add('data', 'decode the data of a block, and check its signature if it has one', DATA_EXAMPLES, (given) => [
    decodeAs(given, readDataMessage, describeDataMessage),
  ])
  add('blob', 'decode what a DA blob holds, and check its signatures', BLOB_EXAMPLES, blobs)
  add('genesis', 'check a genesis.json and tell what it says', GENESIS_EXAMPLES, (given) => [
    genesis(given, context),
  ])
  addBlock(inspect, context)
  return inspect
}

function addBlock(inspect: Command, context: InspectContext): void {
  const command = inspect
    .command('block')
    .description('tell a block of a running node, and check it')
    .argument('<block>', 'height, hash of the header in hex, or latest')
    .option('--json', 'as JSON')
  addRpcOption(command)
    .addHelpText('after', BLOCK_EXAMPLES)
    .action(async (given: string, _options: unknown, self: Command) => {
      const { json } = self.optsWithGlobals<Options>()
      const id = /^\d{1,16}$/.test(given) ? Number(given) : given
      const block = await askNode(context, self, async (client) => ({
        url: client.url,
        ...(await client.block(id)),
      }))
      const origin = { heading: `from ${block.url}`, origin: { source: block.url } }
      tell(context, [{ type: 'Block', ...origin, ...describeBlock(block) }], json === true)
    })
}

/** The bytes of a message; what is text and neither hex nor base64 is none. */
function messageBytes({ encoding, text, source, bytes }: Given): Uint8Array {
  if (encoding !== 'text') return bytes
  throw new EvolveError('USAGE', `${source}: ${whyNotEncoded(text ?? '')}`)
}

function describeOrigin({ source, encoding, bytes }: Given): Pick<Found, 'heading' | 'origin'> {
  const how = encoding === 'binary' ? 'binary' : encoding
  return {
    heading: `${bytes.length} bytes, ${how} from ${source}`,
    origin: { source, encoding, bytes: bytes.length },
  }
}

function decodeAs<M extends { readonly type: string }>(
  given: Given,
  read: (bytes: Uint8Array) => M,
  describe: (message: M) => Description,
): Found {
  const bytes = messageBytes(given)
  const origin = describeOrigin(given)
  try {
    const message = read(bytes)
    return { type: message.type, ...origin, ...describe(message) }
  } catch (error) {
    if (!isEvolveError(error, 'DECODE_FAILED')) throw error
    throw new EvolveError('USAGE', `cannot decode it (${origin.heading}): ${describeError(error)}`)
  }
}

function describeEither(message: HeaderMessage | DataMessage): Description {
  return 'header' in message ? describeHeaderMessage(message) : describeDataMessage(message)
}

function blobs(given: Given): Found[] {
  if (given.encoding !== 'text' || !/^\s*[{[]/.test(given.text ?? '')) {
    return [decodeAs(given, readBlobMessage, describeEither)]
  }
  return readBlobJson(given.text ?? '').map((blob) => fromJson(given, blob))
}

function fromJson({ source }: Given, { place, data, namespace, commitment }: JsonBlob): Found {
  const where = place === undefined ? `JSON from ${source}` : `JSON from ${source}, ${place}`
  const one = decodeAs(
    { source: where, encoding: 'base64', bytes: data, text: undefined },
    readBlobMessage,
    describeEither,
  )
  return {
    ...one,
    origin: { ...one.origin, namespace: namespace ?? null, share_commitment: commitment ?? null },
  }
}

/** A genesis is text; hex or base64 of one is taken too. */
function genesis(given: Given, { env }: InspectContext): Found {
  const text = /^\s*\{/.test(given.text ?? '') ? given.text : fromUtf8(given.bytes)
  if (text === undefined)
    throw new EvolveError('USAGE', `${given.source}: it is no text, and a genesis is JSON`)
  return { type: 'Genesis', ...describeOrigin(given), ...describeGenesis(text, env.now()) }
}

function tell({ print }: InspectContext, all: readonly Found[], json: boolean): void {
  const problems = all.flatMap((one) => one.problems)
  if (json) {
    const out = all.map(({ type, origin, fields, problems: own }) => ({
      type,
      ...origin,
      valid: own.length === 0,
      problems: own,
      ...fields,
    }))
    print(JSON.stringify(out.length === 1 ? out[0] : out))
  } else {
    print(all.map(page).join('\n\n'))
  }
  if (problems.length > 0) throw new EvolveError('NOT_VALID', problems.join('\n'))
}

/** One thing for people. */
function page({ type, heading, lines }: Found): string {
  const width = Math.max(...lines.map(([label]) => label.length))
  return [
    `${type} (${heading})`,
    ...lines.map(([label, value]) => `  ${label.padEnd(width)}  ${value}`),
  ].join('\n')
}
