import { type Command, Option } from 'commander'
import { sleep } from '../../core/env.ts'
import type { Client } from '../../rpc/client/index.ts'
import { sha256 } from '#crypto'
import { equalBytes, fromHex, toHex, utf8 } from '../../util/bytes.ts'
import { EvolveError } from '../../util/errors.ts'
import { readAll, TYPING } from '../console.ts'
import type { CliContext } from '../context.ts'
import { durationFlag, flagError } from '../flag-values.ts'
import { addRpcOption, askNode } from '../node-client.ts'

const EXAMPLES = `
Any node of the chain takes it: a follower hands it on to the aggregator.

Examples:
  evolve tx name=Ada
  evolve tx name=Ada --wait
      until it is in a block
  evolve tx name=Ada --wait final --timeout 2m --json
      until that block is final: both halves of it are on DA
  evolve tx --hex 6e616d653d416461
  printf name=Ada | evolve tx - --rpc http://203.0.113.7:7331
      exactly the bytes that come, a line break at the end too

Exit codes: 0 taken (with --wait: in a block, or final); 1 refused, the node does not answer, or the time is over; 2
something given is wrong.`

/** More than any chain takes. */
const MOST_BYTES = 64 * 1024 * 1024
const STAGES = ['block', 'final'] as const

interface Options {
  readonly hex?: true
  readonly wait?: (typeof STAGES)[number] | true
  readonly timeout: string
  readonly json?: true
}

/** Where a transaction is. */
interface Place {
  readonly height: number
  readonly index: number
  readonly final?: { readonly headerDaHeight: number; readonly dataDaHeight: number }
}

/** Adds `evolve tx`. */
export function addTx(program: Command, context: CliContext): void {
  const command = program
    .command('tx')
    .description('hand a transaction to the chain')
    .argument('<data>', 'the transaction as text; - reads it from standard input')
    .option('--hex', 'the transaction is given in hex')
    .addOption(
      new Option('--wait [stage]', 'wait until it is in a block, or until that is final').choices(STAGES),
    )
    .option('--timeout <duration>', 'longest time to wait', '1m')
    .option('--json', 'as JSON')
  addRpcOption(command)
    .addHelpText('after', EXAMPLES)
    .action(async (given: string, _options: unknown, self: Command) => {
      const options = self.optsWithGlobals<Options>()
      const timeout = durationFlag('--timeout', options.timeout, { positive: true })
      const tx = await transactionOf(context, given, options.hex === true)
      await askNode(context, self, async (client) => {
        await submit(context, client, { tx, timeout, wait: options.wait, json: options.json === true })
      })
    })
}

async function transactionOf(
  { console, terminal }: CliContext,
  given: string,
  hex: boolean,
): Promise<Uint8Array> {
  if (given === '-' && console.interactive) terminal.write(TYPING)
  const bytes = given === '-' ? await readAll(console.input(), MOST_BYTES) : utf8(given)
  const text = hex ? new TextDecoder().decode(bytes).trim() : ''
  const tx = hex ? fromHex(text.replace(/^0x/i, '')) : bytes
  if (tx === undefined) throw flagError('--hex', 'hex digits, two a byte', text.slice(0, 60))
  if (tx.length === 0) throw new EvolveError('USAGE', 'the transaction is empty')
  return tx
}

async function submit(
  context: CliContext,
  client: Client,
  {
    tx,
    timeout,
    wait,
    json,
  }: {
    readonly tx: Uint8Array
    readonly timeout: number
    readonly wait: Options['wait']
    readonly json: boolean
  },
): Promise<void> {
  const hash = sha256(tx)
  const tell = (place: Place | undefined): void => {
    context.print(json ? JSON.stringify(fieldsOf(hash, place)) : linesOf(hash, place).join('\n'))
  }
  if (wait === undefined) {
    await client.submit(tx)
    tell(undefined)
    return
  }
  const controller = new AbortController()
  const { signal } = controller
  const over = sleep(context.env, timeout, signal).then(() => {
    throw new EvolveError(
      'TIMEOUT',
      `the transaction ${toHex(hash)} was taken, but is not ${wait === 'final' ? 'final' : 'in a block'} after ${timeout} ms`,
    )
  })
  try {
    tell(await Promise.race([follow(client, tx, wait === 'final', signal), over]))
  } finally {
    controller.abort()
    await over.catch(() => undefined)
  }
}

/** Submits a transaction, finds the block that holds it, and with `final` waits until that is final. */
async function follow(client: Client, tx: Uint8Array, final: boolean, signal: AbortSignal): Promise<Place> {
  // Known before it is submitted: it can be in a block before the answer comes.
  const { height: before } = await client.status({ signal })
  await client.submit(tx, { signal })
  for await (const { summary, data } of client.subscribeBlocks({ from: before + 1, full: true, signal })) {
    const index = data.txs.findIndex((one) => equalBytes(one, tx))
    if (index < 0) continue
    const place = { height: summary.height, index }
    return final ? { ...place, final: await finality(client, summary.height, signal) } : place
  }
  throw signal.reason
}

async function finality(
  client: Client,
  height: number,
  signal: AbortSignal,
): Promise<NonNullable<Place['final']>> {
  for await (const { headerDaHeight, dataDaHeight } of client.subscribeFinality({ from: height, signal })) {
    return { headerDaHeight, dataDaHeight }
  }
  throw signal.reason
}

function fieldsOf(hash: Uint8Array, place: Place | undefined): Readonly<Record<string, unknown>> {
  return {
    hash: toHex(hash),
    height: place?.height ?? null,
    index: place?.index ?? null,
    final: place?.final !== undefined,
    header_da_height: place?.final?.headerDaHeight ?? null,
    data_da_height: place?.final?.dataDaHeight ?? null,
  }
}

function linesOf(hash: Uint8Array, place: Place | undefined): string[] {
  return [
    `hash      ${toHex(hash)}`,
    ...(place === undefined ? [] : [`in block  ${place.height}, at place ${place.index}`]),
    ...(place?.final === undefined
      ? []
      : [`final     header at DA height ${place.final.headerDaHeight}, data at ${place.final.dataDaHeight}`]),
  ]
}
