import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'

/** Text, never to be taken for anything else. */
export const TEXT: OutgoingHttpHeaders = {
  'Content-Type': 'text/plain; charset=utf-8',
  'X-Content-Type-Options': 'nosniff',
}

/** Answers with a line of text: what was wrong. */
export function answer(
  response: ServerResponse,
  status: number,
  text: string,
  headers: OutgoingHttpHeaders = {},
): void {
  response.writeHead(status, { ...TEXT, ...headers }).end(`${text}\n`)
}
