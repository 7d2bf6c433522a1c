import { type Command, Option } from 'commander'
import type { NetworkInfo, PeerConnection } from '../../rpc/client/index.ts'
import { formatTimestamp } from '../../types/timestamp.ts'
import type { CliContext } from '../context.ts'
import { addRpcOption, askNode } from '../node-client.ts'
import { formatSpan } from '../progress.ts'
import { list, table } from '../table.ts'

const EXAMPLES = `
Examples:
  evolve net-info --home ~/my-chain
  evolve net-info --rpc http://203.0.113.7:7331 --output json
  evolve net-info --json | jq -r '.peers[].address'

Exit codes: 0 told, 1 the node does not answer, 2 something given is wrong.`

const FORMATS = ['text', 'json'] as const

interface Options {
  readonly output: (typeof FORMATS)[number]
  readonly json?: true
}

/** Adds `evolve net-info`. */
export function addNetInfo(program: Command, context: CliContext): void {
  const command = program
    .command('net-info')
    .description("tell a running node's id, the addresses it listens on, and its open connections")
    .addOption(new Option('-o, --output <format>', 'form of the answer').choices(FORMATS).default('text'))
    .option('--json', 'the same as --output json')
  addRpcOption(command)
    .addHelpText('after', EXAMPLES)
    .action(async (_options: unknown, self: Command) => {
      const { output, json } = self.optsWithGlobals<Options>()
      const info = await askNode(context, self, async (client) => await client.peers())
      if (json === true || output === 'json') context.print(JSON.stringify(fieldsOf(info)))
      else context.print(linesOf(info, context.env.now()).join('\n'))
    })
}

function fieldsOf({ peerId, addresses, peers }: NetworkInfo): Readonly<Record<string, unknown>> {
  return {
    node_id: peerId,
    listen_addresses: addresses,
    peers: peers.map(({ peer, address, direction, openedAt, encryption, protocols, agent, configured }) => ({
      id: peer,
      address,
      direction,
      opened: formatTimestamp(openedAt),
      encryption: encryption ?? null,
      protocols,
      agent,
      configured,
    })),
  }
}

function linesOf({ peerId, addresses, peers }: NetworkInfo, now: bigint): string[] {
  return [
    ...list([
      ['node id', peerId],
      ...(addresses.length === 0 ? [['listening', 'nowhere'] as const] : []),
      ...addresses.map((address, index) => [index === 0 ? 'listening' : '', address] as const),
      ['peers', String(peers.length)],
    ]),
    ...(peers.length === 0
      ? []
      : [
          '',
          ...table(
            ['peer', 'direction', 'since', 'configured', 'software', 'address'],
            peers.map((peer) => row(peer, now)),
          ),
        ]),
  ]
}

function row(
  { peer, direction, openedAt, configured, agent, address }: PeerConnection,
  now: bigint,
): string[] {
  const seconds = Math.max(Number((now - openedAt) / 1_000_000n) / 1_000, 0)
  // Behind the address its id stands again.
  const place = address.replace(`/p2p/${peer}`, '')
  return [peer, direction, formatSpan(seconds), configured ? 'yes' : 'no', agent.slice(0, 40) || '–', place]
}
