import { systemEnv } from '../core/env.ts'
import { startAll, stopAll } from '../core/lifecycle.ts'
import { noopLogger } from '../core/logger.ts'
import type { EntryExecutor } from '../execution/entry-executor.ts'
import { createConsole } from './console.ts'
import type { LocalDaFactory } from './local-da.ts'
import { runProgram } from './program.ts'
import { createScreen } from './screen.ts'
import type { DevnetTools, NodeFactory } from './start-node.ts'
import { createTerminal } from './terminal.ts'

const createNode: NodeFactory = async ({ config, executor: application, kvEndpoint, key, ...parts }) => {
  // Only here: help, version and what is wrong are told without loading the whole node first.
  const [
    { fullNodeFromConfig },
    { createKvExecutor },
    { createTestappExecutor },
    { createKvEndpoint },
    { createFileLedger },
  ] = await Promise.all([
    import('../node/from-config.ts'),
    import('../execution/kv-executor.ts'),
    import('../execution/testapp-executor.ts'),
    import('../execution/http/endpoint.node.ts'),
    import('../signer/ledger.node.ts'),
  ])
  let executor: EntryExecutor | undefined
  const node = fullNodeFromConfig(config, {
    ...parts,
    database: application,
    executor: (kv) => {
      executor = application === 'testapp' ? createTestappExecutor({ kv }) : createKvExecutor({ kv })
      return executor
    },
    ...(key === undefined
      ? {}
      : {
          key: {
            signer: key.signer,
            ledger: createFileLedger({
              path: key.ledgerFile,
              keyFingerprint: key.signer.address,
              env: parts.env,
              logger: parts.logger,
            }),
          },
        }),
  })
  if (kvEndpoint === undefined || executor === undefined) return node
  const probe = createKvEndpoint({ env: parts.env, logger: noopLogger, executor }, { address: kvEndpoint })
  const endpoint = createKvEndpoint(
    {
      env: parts.env,
      logger: parts.logger,
      executor,
      canSubmit: () =>
        key === undefined ? 'this node makes no blocks: send transactions to the aggregator' : undefined,
    },
    { address: kvEndpoint },
  )
  return {
    ...node,
    async start(options) {
      // A port that is taken shows before a block can be made.
      await probe.start(options)
      await probe.stop()
      await startAll([node, endpoint], options)
    },
    stop: async () => await stopAll([node, endpoint]),
  }
}

const createLocalDa: LocalDaFactory = async (deps, settings) => {
  const { createLocalDaNode } = await import('../node/local-da.ts')
  return createLocalDaNode(deps, settings)
}

async function devnetTools(): Promise<DevnetTools> {
  const [{ createDevnet }, { createLoad }, { agreement, describeAgreement }] = await Promise.all([
    import('../node/devnet/devnet.ts'),
    import('../node/devnet/load.ts'),
    import('../node/devnet/agreement.ts'),
  ])
  return { createDevnet, createLoad, agreement, describe: describeAgreement }
}

/** Whoever reads our output may go away before its end: that is no failure. */
function passBrokenPipe(error: Error): void {
  if (!('code' in error) || error.code !== 'EPIPE') throw error
}

/** Runs the program in this process: its arguments, variables, streams and signals. Sets the exit code. */
export async function runProcess(): Promise<void> {
  const { env: variables, stderr, stdout } = process
  const outputGone = new AbortController()
  stdout.on('error', (error) => {
    passBrokenPipe(error)
    outputGone.abort()
  })
  stderr.on('error', passBrokenPipe)
  process.exitCode = await runProgram(process.argv.slice(2), {
    variables,
    print: (text) => stdout.write(`${text}\n`),
    terminal: createTerminal(stderr),
    color: stderr.isTTY && variables['NO_COLOR'] === undefined,
    outputIsTerminal: stdout.isTTY,
    outputGone: outputGone.signal,
    console: createConsole(() => process.stdin, stderr),
    env: systemEnv,
    signals: process,
    createNode,
    createLocalDa,
    screen: createScreen(stderr),
    devnetTools,
  })
}
