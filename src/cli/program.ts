import { Command } from 'commander'
import { DEFAULT_HOME } from '../config/home.ts'
import { addCompletion } from './commands/completion.ts'
import { addDa } from './commands/da.ts'
import { addDevnet } from './commands/devnet.ts'
import { addDoctor } from './commands/doctor.ts'
import { addInit } from './commands/init.ts'
import { addInspect } from './commands/inspect.ts'
import { addKeys } from './commands/keys.ts'
import { addLogLevel } from './commands/log-level.ts'
import { addNetInfo } from './commands/net-info.ts'
import { addPrune } from './commands/prune.ts'
import { addRollback } from './commands/rollback.ts'
import { addSnapshot } from './commands/snapshot.ts'
import { addStart } from './commands/start.ts'
import { addStatus } from './commands/status.ts'
import { addTx } from './commands/tx.ts'
import { addUnsafeClean } from './commands/unsafe-clean.ts'
import { addVersion } from './commands/version.ts'
import type { CliContext } from './context.ts'
import { EXIT_CODES, exitCodeOf, explain } from './exit.ts'
import { addGlobalOptions, normalizeArguments } from './options.ts'

const AFTER = `
Every key of config/evnode.yaml is also a flag (--evnode.p2p.peers) and an environment variable (EVNODE_P2P_PEERS);
a flag wins over the variable, the variable over the file.

Examples:
  evolve devnet
  evolve init --home ~/my-chain
  evolve start --home ~/my-chain
  evolve start --help

Exit codes:
${EXIT_CODES.map(({ code, meaning }) => `  ${String(code).padEnd(4)} ${meaning}`).join('\n')}`

/** The program with all its commands, as they are given to a shell. */
export function buildProgram(context: CliContext): Command {
  const program = new Command('evolve')
    .description('Run and follow Evolve chains.')
    .option('--home <folder>', `home directory of the node (default: ${DEFAULT_HOME}, or EVNODE_HOME)`)
    .showSuggestionAfterError()
    .configureHelp({ showGlobalOptions: true, helpWidth: 110 })
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.print(text.trimEnd()),
      writeErr: (text) => context.terminal.write(text),
    })
    .addHelpText('after', AFTER)
  addGlobalOptions(program)
  addInit(program, context)
  addStart(program, context)
  addDa(program, context)
  addDevnet(program, context)
  addStatus(program, context)
  addNetInfo(program, context)
  addTx(program, context)
  addLogLevel(program, context)
  addDoctor(program, context)
  addInspect(program, context)
  addKeys(program, context)
  addSnapshot(program, context)
  addPrune(program, context)
  addRollback(program, context)
  addUnsafeClean(program, context)
  addCompletion(program, context)
  addVersion(program, context)
  return program
}

/** Runs the program with the given arguments, its own name not among them; resolves with the exit code. Never rejects. */
export async function runProgram(given: readonly string[], context: CliContext): Promise<number> {
  try {
    await buildProgram(context).parseAsync(normalizeArguments(given), { from: 'user' })
    return 0
  } catch (error) {
    const text = explain(error)
    if (text !== undefined) context.terminal.write(`${text}\n`)
    return exitCodeOf(error)
  }
}
