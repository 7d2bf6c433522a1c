/*
 * What tests need of the project's Markdown: its files, code blocks, links, and tables.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Root of the project. */
export const root: string = fileURLToPath(new URL('../../', import.meta.url))

/** A fenced block of code. */
export interface CodeBlock {
  /** First word after the fence: `ts`, `sh`. */
  readonly language: string
  /** What follows it: `background "text"`, `norun: why`. */
  readonly info: string
  readonly code: string
  /** Line of the fence, from 1. */
  readonly line: number
  /** Heading above it. */
  readonly section: string
}

const SKIPPED = new Set(['node_modules', 'dist', '.git', 'fixtures'])

/** Every Markdown file of the project, relative to its root. */
export function markdownFiles(folder: string = root): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : markdownFiles(path)
    return entry.name.endsWith('.md') ? [relative(root, path)] : []
  })
}

/** Text of a file of the project. */
export function readText(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

/** The fenced blocks of a Markdown text. */
export function codeBlocks(markdown: string): CodeBlock[] {
  const blocks: CodeBlock[] = []
  let section = ''
  let open: { language: string; info: string; line: number; lines: string[] } | undefined
  for (const [index, line] of markdown.split('\n').entries()) {
    const fence = /^```(\S*) ?(.*)$/.exec(line)
    if (open !== undefined) {
      if (line !== '```') open.lines.push(line)
      else {
        const { lines, ...block } = open
        blocks.push({ ...block, code: `${lines.join('\n')}\n`, section })
        open = undefined
      }
    } else if (fence !== null) {
      open = { language: fence[1] ?? '', info: fence[2] ?? '', line: index + 1, lines: [] }
    } else if (/^#+ /.test(line)) section = line.replace(/^#+ /, '')
  }
  return blocks
}

/** Text outside of fenced blocks. */
export function prose(markdown: string): string {
  return markdown.replace(/^```[\s\S]*?^```$/gm, '')
}

/** Where links of a Markdown text lead, with images and `src` attributes. */
export function links(markdown: string): string[] {
  const text = prose(markdown).replace(/`[^`\n]*`/g, '')
  return [
    ...[...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target),
    ...[...text.matchAll(/(?:src|srcset|href)="([^"]+)"/g)].map(([, target = '']) => target),
  ]
}

/** Names of the anchors that GitHub gives the headings of a Markdown text. */
export function anchors(markdown: string): Set<string> {
  return new Set(
    [...prose(markdown).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )
}
