/*
 * What the scripts of bash and zsh have in common: tables as `case` statements.
 */
import { allCommands, type CommandWords, placesOf, type Value } from './words.ts'

/** One text in single quotes of a shell. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}

const INDENT = '    '

/** One branch of a `case`: any of `patterns`, quoted, leads to `body`. */
export function branch(patterns: readonly string[], body: string, indent: string = INDENT): string {
  return `${indent}${patterns.map(quote).join('|')}) ${body} ;;`
}

/** Branches that go from a command to one below it: `evolve keys` and the word `show` lead to `evolve keys show`. */
export function steps(root: CommandWords, set: (path: string) => string): string[] {
  return allCommands(root).flatMap((command) =>
    command.commands.map(({ path, names }) =>
      branch(
        names.map((name) => `${command.path} ${name}`),
        set(path),
      ),
    ),
  )
}

/** Where all options stand that take the next word, whatever it is. */
export function valued(root: CommandWords): string[] {
  return allCommands(root).flatMap((command) =>
    command.options.filter(({ takesNext }) => takesNext).flatMap((option) => placesOf(command, option)),
  )
}

/** Branches that complete the value of an option; options with equal values share one. */
export function values(root: CommandWords, complete: (value: Value) => string): string[] {
  const places = new Map<string, string[]>()
  for (const command of allCommands(root)) {
    for (const option of command.options) {
      if (option.value === undefined) continue
      const body = complete(option.value)
      places.set(body, [...(places.get(body) ?? []), ...placesOf(command, option)])
    }
  }
  return [...places].map(([body, patterns]) => branch(patterns, body))
}
