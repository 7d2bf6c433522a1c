import { Argument, type Command } from 'commander'
import { bashCompletion } from '../completion/bash.ts'
import { fishCompletion } from '../completion/fish.ts'
import { commandWords } from '../completion/words.ts'
import { zshCompletion } from '../completion/zsh.ts'
import type { CliContext } from '../context.ts'

const EXAMPLES = `
Examples:
  source <(evolve completion bash)
      for this shell; put it into ~/.bashrc for all
  evolve completion bash > /etc/bash_completion.d/evolve
  evolve completion zsh > "\${fpath[1]}/_evolve"
  evolve completion fish > ~/.config/fish/completions/evolve.fish`

const SHELLS = ['bash', 'zsh', 'fish'] as const

const SCRIPTS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion }

/** Adds `evolve completion`. */
export function addCompletion(program: Command, context: Pick<CliContext, 'print'>): void {
  program
    .command('completion')
    .description('print a script that lets a shell complete commands, options and their values')
    .addArgument(new Argument('<shell>', 'shell that reads the script').choices(SHELLS))
    .addHelpText('after', EXAMPLES)
    .action((shell: (typeof SHELLS)[number]) => {
      context.print(SCRIPTS[shell](commandWords(program)).trimEnd())
    })
}
