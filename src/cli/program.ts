/*
 * The commands, their options and their help.
 */
import { Command, Option } from 'commander'
import { HOME_VARIABLE } from '../config/environment.ts'
import { DEFAULT_HOME } from '../config/home.ts'
import { init } from './commands/init.ts'
import { start } from './commands/start.ts'
import { version } from './commands/version.ts'
import type { CliContext } from './context.ts'
import { EXIT } from './exit.ts'
import { addConfigOptions, addGlobalOptions, givenOptions, normalizeArguments } from './options.ts'
import { EXECUTORS } from './start-node.ts'

const KEYS_HELP = `
Each --evnode.a.b is also the key a.b in config/evnode.yaml and the variable EVNODE_A_B. A flag wins over the
variable, the variable over the file. --rollkit.a.b means the same as --evnode.a.b.`

const PROGRAM_HELP = `${KEYS_HELP}

Exit codes: 0 done, 1 failed, 2 something given is wrong, 70 stopped by a critical error, 130 ended by a second signal.

Examples:
  evolve init --home ~/my-chain
  evolve start --home ~/my-chain --evnode.p2p.peers /ip4/203.0.113.7/tcp/7676/p2p/12D3Koo…
  evolve start --help`

const INIT_HELP = `${KEYS_HELP}

What is there already stays: keys and genesis are checked, flags are put into an existing evnode.yaml.

Examples:
  evolve init --home ~/my-chain
      a follower; copy the chain's genesis.json into ~/my-chain/config
  evolve init --home ~/my-chain --evnode.p2p.peers /ip4/203.0.113.7/tcp/7676/p2p/12D3Koo…
      the same, with a peer to begin with
  evolve init --home ~/my-chain --chain-id my-chain --evnode.node.aggregator \\
      --evnode.signer.passphrase_file ~/passphrase
      a new chain and the key that signs its blocks`

const START_HELP = `${KEYS_HELP}

SIGINT (Ctrl-C) and SIGTERM stop the node within ten seconds; a second signal ends it at once.

Examples:
  evolve start --home ~/my-chain
  evolve start --home ~/my-chain --executor testapp --evnode.log.level debug
  EVNODE_LOG_FORMAT=json evolve start --home ~/my-chain 2> node.log`

const VERSION_HELP = `
Examples:
  evolve version
  evolve version --json`

/**
 * Runs the program with the arguments behind its name. Resolves with the exit code; rejects with what the commands
 * throw, and with commander's own errors, of which it has told.
 */
export async function runProgram(context: CliContext, given: readonly string[]): Promise<number> {
  let code: number = EXIT.done
  const program = new Command('evolve')
    .description('Runs and follows Evolve chains.')
    .configureHelp({ showGlobalOptions: true, helpWidth: 110 })
    .configureOutput({ writeOut: context.print, writeErr: context.terminal.write })
    .exitOverride()
    .showHelpAfterError('(--help tells what is allowed)')
    .option('--home <folder>', `home directory (default: $${HOME_VARIABLE} or ${DEFAULT_HOME})`)
    .addHelpText('after', PROGRAM_HELP)
  addGlobalOptions(program)

  const initCommand = program
    .command('init')
    .summary('make a home directory')
    .description('Makes a home directory: configuration, node key, and for an aggregator signer and genesis.')
    .addOption(new Option('--chain-id, --chain_id <text>', 'id of a new chain (default: ev-test)'))
    .addHelpText('after', INIT_HELP)
    .action(async () => {
      const { home, chain_id: chainId } = initCommand.optsWithGlobals<{ home?: string; chain_id?: string }>()
      await init(context, { home, chainId, flags: givenOptions(initCommand) })
    })
  addConfigOptions(initCommand)

  const startCommand = program
    .command('start')
    .aliases(['node', 'run'])
    .summary('run a node')
    .description('Runs a node: it follows the chain of its genesis, executes every block and serves its peers.')
    .addOption(
      new Option('--executor <name>', 'application that executes the blocks').choices(EXECUTORS).default(EXECUTORS[0]),
    )
    .addHelpText('after', START_HELP)
    .action(async () => {
      const { home, executor: name } = startCommand.optsWithGlobals<{ home?: string; executor: string }>()
      const executor = EXECUTORS.find((known) => known === name) ?? EXECUTORS[0]
      code = await start(context, { home, executor, flags: givenOptions(startCommand) })
    })
  addConfigOptions(startCommand)

  program
    .command('version')
    .summary('tell what runs')
    .description('Tells the version of the program, of Node, and the commit if it is known.')
    .option('--json', 'as JSON')
    .addHelpText('after', VERSION_HELP)
    .action(async ({ json = false }: { json?: boolean }) => await version(context, { json }))

  await program.parseAsync(normalizeArguments(given), { from: 'user' })
  return code
}
