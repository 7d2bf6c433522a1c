/*
 * The running node that a command asks.
 */
import type { Command } from 'commander'
import { readHomeConfig } from '../config/home-config.node.ts'
import type { Client } from '../rpc/client/index.ts'
import { describeError, EvolveError, isEvolveError } from '../util/errors.ts'
import type { CliContext } from './context.ts'
import { givenOptions } from './options.ts'

/** What a command needs of the world to ask a node. */
export type AskContext = Pick<CliContext, 'variables' | 'env'>

interface Options {
  readonly home?: string
  readonly rpc?: string
}

/** Adds the option that says where the node answers. */
export function addRpcOption(command: Command): Command {
  return command.option(
    '--rpc <url>',
    'where the node answers: URL or host:port (default: rpc.address of the home)',
  )
}

/** The URL at which a node with this `rpc.address` answers on its own machine. */
export function rpcUrl(address: string): string {
  const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(address) ?? []
  const reachable = { '': '127.0.0.1', '0.0.0.0': '127.0.0.1', '[::]': '[::1]' }[host] ?? host
  return `http://${reachable}:${port}`
}

/** Where the node is, and what said so. */
interface Place {
  readonly url: string
  readonly source: string
}

async function placeOf({ variables }: AskContext, self: Command): Promise<Place> {
  const { rpc, home } = self.optsWithGlobals<Options>()
  if (rpc !== undefined) return { url: rpc, source: '--rpc' }
  const { config, paths } = await readHomeConfig({ home, variables, flags: givenOptions(self) })
  return { url: rpcUrl(config.rpc.address), source: `rpc.address of ${paths.home}` }
}

/**
 * Asks the node that a command is about. When nobody answers it rejects with `NODE_UNREACHABLE`, which says what to look
 * at; with `USAGE` for an address that is none, and with `INVALID_CONFIG`.
 */
export async function askNode<T>(
  context: AskContext,
  self: Command,
  task: (client: Client) => Promise<T>,
): Promise<T> {
  const { url, source } = await placeOf(context, self)
  // Only here: it is much to load, and help does without.
  const { createClient } = await import('../rpc/client/index.ts')
  try {
    return await task(createClient(url, { env: context.env, retries: 0 }))
  } catch (error) {
    if (isEvolveError(error, 'INVALID_REQUEST')) throw new EvolveError('USAGE', error.message)
    throw isEvolveError(error, 'RPC_UNREACHABLE', 'RPC_TIMEOUT', 'RPC_UNSUPPORTED', 'RPC_BAD_RESPONSE')
      ? unreachable(error, { url, source })
      : error
  }
}

/** What happened, and what to look at. */
function unreachable(error: EvolveError, { url, source }: Place): EvolveError {
  const advice: Readonly<Record<string, string>> = {
    RPC_UNREACHABLE: `Is it running (evolve start)? The address is that of ${source}; --rpc URL names another one.`,
    RPC_TIMEOUT: 'It may be very busy, or something else may listen there. --rpc URL names another address.',
  }
  const other = `Something answers at ${url}, but it does not offer this: no node, or one of another version.`
  return new EvolveError('NODE_UNREACHABLE', `${describeError(error)}\n${advice[error.code] ?? other}`, {
    data: error.data,
  })
}
