import type { Command } from 'commander'
import { EvolveError } from '../../util/errors.ts'
import type { CliContext } from '../context.ts'
import { examine } from '../doctor/examine.ts'
import type { Finding } from '../doctor/finding.ts'
import { addConfigOptions, givenOptions } from '../options.ts'
import { printable } from '../table.ts'

const EXAMPLES = `
It looks at Node, memory and limits, the home, configuration, genesis and keys, the signing ledger, the database and
its disk, ports, peers, the DA node, the clock, and at the node itself if it runs. It changes nothing, and says of each
problem what to do. Every key of the configuration can be given, as to evolve start.

Examples:
  evolve doctor --home ~/my-chain
  evolve doctor --home ~/seq --evnode.signer.passphrase_file pass.txt
      also tries whether the passphrase opens the key
  evolve doctor --home ~/my-chain --json | jq '.checks[] | select(.level == "problem")'

Exit codes: 0 no problems (warnings there may be), 1 problems found, 2 the command line is wrong.`

const STYLES = {
  ok: (text: string): string => `\u001b[32m${text}\u001b[39m`,
  warning: (text: string): string => `\u001b[33m${text}\u001b[39m`,
  problem: (text: string): string => `\u001b[31m${text}\u001b[39m`,
} as const satisfies Record<Finding['level'], unknown>

const LEVEL_WIDTH = 9
const AREA_WIDTH = 11

/** Adds `evolve doctor`. */
export function addDoctor(program: Command, context: CliContext): void {
  const command = program
    .command('doctor')
    .description('look for what is wrong with a node, running or not, and say what to do')
    .option('--json', 'as JSON, at the end')
  addConfigOptions(command)
  command.addHelpText('after', EXAMPLES)
  command.action(async (_options: unknown, self: Command) => {
    const { home, json } = self.optsWithGlobals<{ readonly home?: string; readonly json?: true }>()
    await doctor(context, { home, json: json === true, self })
  })
}

async function doctor(
  context: CliContext,
  { home, json, self }: { readonly home: string | undefined; readonly json: boolean; readonly self: Command },
): Promise<void> {
  const color = context.color && context.outputIsTerminal
  const findings: Finding[] = []
  await examine(context, { home, variables: context.variables, flags: givenOptions(self) }, (finding) => {
    findings.push(finding)
    if (!json) context.print(linesOf(finding, color).join('\n'))
  })
  const count = (level: Finding['level']): number => findings.filter((one) => one.level === level).length
  const [problems, warnings] = [count('problem'), count('warning')]
  if (json) {
    const checks = findings.map(({ area, level, message, advice }) => ({
      area,
      level,
      message,
      advice: advice ?? null,
    }))
    context.print(JSON.stringify({ problems, warnings, checks }))
  } else if (problems === 0) {
    context.print(warnings === 0 ? 'all is well' : `no problems, ${many(warnings, 'warning')}`)
  }
  if (problems > 0) {
    const rest = warnings === 0 ? '' : ` and ${many(warnings, 'warning')}`
    throw new EvolveError('PROBLEMS_FOUND', `found ${many(problems, 'problem')}${rest}`)
  }
}

const many = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`

function linesOf({ area, level, message, advice }: Finding, color: boolean): string[] {
  const word = level.padEnd(LEVEL_WIDTH)
  const indent = ' '.repeat(LEVEL_WIDTH + AREA_WIDTH)
  return [
    `${color ? STYLES[level](word) : word}${area.padEnd(AREA_WIDTH)}${printable(message)}`,
    ...(advice === undefined ? [] : [`${indent}→ ${printable(advice)}`]),
  ]
}
