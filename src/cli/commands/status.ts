import type { Command } from 'commander'
import type { Client, NodeInfo, NodeStatus } from '../../rpc/client/index.ts'
import { describeError } from '../../util/errors.ts'
import type { CliContext } from '../context.ts'
import { durationFlag } from '../flag-values.ts'
import { addRpcOption, askNode } from '../node-client.ts'
import { createShutdown } from '../shutdown.ts'
import { renderStatus, statusFields, type StatusFacts, statusLine } from '../status-view.ts'

const EXAMPLES = `
On a terminal it shows the node in place until Ctrl-C; elsewhere it tells once how it stands and ends.

Examples:
  evolve status
  evolve status --home ~/my-chain --once
  evolve status --rpc http://203.0.113.7:7331
  evolve status --json | jq .height
  evolve status --json --watch
      an object a line, whenever something has changed
  evolve status --watch > status.log

Exit codes: 0 told, 1 the node does not answer, 2 something given is wrong.`

/** Milliseconds between two pictures: ages grow also when nothing is told. */
const REDRAW = 1_000
const SHORTEST_INTERVAL = 100
const LONGEST_INTERVAL = 60_000

interface Options {
  readonly watch?: true
  readonly once?: true
  readonly json?: true
  readonly interval: string
}

/** Adds `evolve status`. */
export function addStatus(program: Command, context: CliContext): void {
  const command = program
    .command('status')
    .description('show how a running node stands: what it does, heights, speed, peers, DA')
    .option('--watch', 'go on and tell every change, also where no terminal is')
    .option('--once', 'tell once, also on a terminal')
    .option('--interval <duration>', 'shortest time between two changes that are told, 100ms to 60s', '500ms')
    .option('--json', 'as JSON: one object, or with --watch one a line')
  addRpcOption(command)
    .addHelpText('after', EXAMPLES)
    .action(async (_options: unknown, self: Command) => {
      const options = self.optsWithGlobals<Options>()
      const interval = durationFlag('--interval', options.interval)
      const bounded = Math.min(Math.max(interval, SHORTEST_INTERVAL), LONGEST_INTERVAL)
      await askNode(context, self, async (client) => {
        await showStatus(context, client, { ...options, interval: bounded })
      })
    })
}

async function showStatus(
  context: CliContext,
  client: Client,
  {
    watch = false,
    once = false,
    json = false,
    interval,
  }: Omit<Options, 'interval' | 'watch' | 'once' | 'json'> & {
    readonly watch?: boolean
    readonly once?: boolean
    readonly json?: boolean
    readonly interval: number
  },
): Promise<void> {
  const { env, screen, outputIsTerminal, color } = context
  const [info, status] = await Promise.all([client.info(), client.status()])
  const live = outputIsTerminal && screen.interactive && !json && !once
  const facts = (now: NodeStatus, who: NodeInfo = info): StatusFacts => {
    return { url: client.url, info: who, status: now, now: env.now(), trouble: undefined, note: '' }
  }
  const tell = (now: NodeStatus): void => {
    if (json) context.print(JSON.stringify(statusFields(facts(now))))
    else context.print(statusLine(facts(now)))
  }
  if (live) await liveView(context, client, { first: facts(status), interval })
  else if (watch && !once) await follow(context, client, { interval, tell })
  else if (json) tell(status)
  else
    context.print(
      renderStatus(facts(status), {
        width: outputIsTerminal ? screen.width : 200,
        color: color && outputIsTerminal,
      }).join('\n'),
    )
}

/** Tells every change until a signal comes, or nobody reads it any longer. */
async function follow(
  { env, signals, terminal, outputGone }: CliContext,
  client: Client,
  { interval, tell }: { readonly interval: number; readonly tell: (status: NodeStatus) => void },
): Promise<void> {
  const shutdown = createShutdown({ source: signals, env }, () => undefined)
  try {
    for await (const status of client.subscribeStatus({
      interval,
      signal: AbortSignal.any([shutdown.signal, outputGone]),
      onInterruption({ error, attempt }) {
        if (attempt === 0) terminal.write(`no answer: ${describeError(error)}\n`)
      },
    })) {
      tell(status)
    }
  } finally {
    shutdown.release()
  }
}

/** Shows the node in place until a signal comes; the last picture stays. */
async function liveView(
  { env, signals, screen, color }: CliContext,
  client: Client,
  { first, interval }: { readonly first: StatusFacts; readonly interval: number },
): Promise<void> {
  const shutdown = createShutdown({ source: signals, env }, () => undefined)
  let facts: StatusFacts = { ...first, note: 'Ctrl-C ends' }
  let cancel: () => void = () => undefined
  const draw = (): void => {
    cancel()
    screen.show(renderStatus({ ...facts, now: env.now() }, { width: screen.width, color }))
    cancel = env.timer(REDRAW, draw)
  }
  draw()
  try {
    for await (const status of client.subscribeStatus({
      interval,
      signal: shutdown.signal,
      onInterruption({ error }) {
        facts = { ...facts, trouble: describeError(error) }
        draw()
      },
    })) {
      // After an interruption it may be another node, or a later version of it.
      const info = facts.trouble === undefined ? facts.info : await client.info().catch(() => facts.info)
      facts = { ...facts, info, status, trouble: undefined }
      draw()
    }
  } finally {
    cancel()
    screen.release()
    shutdown.release()
  }
}
