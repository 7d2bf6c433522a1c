/*
 * Posts transactions to the HTTP endpoint of an application, over connections that stay open, each with some requests
 * under way. Argument: a PostOrder as JSON. Asked anything, it tells how many were taken.
 */
import { createConnection } from 'node:net'
import type { PostOrder } from '../produce-messages.ts'

const CONNECTIONS = 8
/** Requests under way on each connection. */
const DEPTH = 64
const KEYS = 5_000
const ACCEPTED = '202'
const ANSWER = 'HTTP/1.1 '

const order: PostOrder = JSON.parse(process.argv[2] ?? '{}')
const [host = '', port = ''] = order.endpoint.split(':')
const begun = performance.now()
let sent = 0
let taken = 0

/** How many may be sent by now. */
function due(): number {
  return order.rate === 0 ? Infinity : Math.floor(((performance.now() - begun) / 1_000) * order.rate)
}

function request(number: number): string {
  const body = `key${number % KEYS}=value ${number}`
  return `POST /tx HTTP/1.1\r\nHost: bench\r\nContent-Length: ${body.length}\r\n\r\n${body}`
}

for (let connection = 0; connection < CONNECTIONS; connection++) {
  const socket = createConnection(Number(port), host)
  let underWay = 0
  let rest = ''
  const fill = (): void => {
    let requests = ''
    for (; underWay < DEPTH && sent < due(); underWay++) requests += request(sent++)
    if (requests !== '') socket.write(requests)
  }
  socket.setEncoding('latin1')
  socket.on('connect', fill)
  socket.on('data', (piece) => {
    const text = rest + String(piece)
    let read = 0
    for (let at = text.indexOf(ANSWER); at >= 0; at = text.indexOf(ANSWER, read)) {
      // The status stands in three digits behind it; what is cut off comes with the next piece.
      if (at + ANSWER.length + 3 > text.length) break
      read = at + ANSWER.length + 3
      if (text.startsWith(ACCEPTED, at + ANSWER.length)) taken++
      underWay--
    }
    rest = text.slice(Math.max(read, text.length - ANSWER.length - 2))
    fill()
  })
  if (order.rate > 0) setInterval(fill, 5)
}
process.on('message', () => process.send?.({ taken }))
process.once('disconnect', () => process.exit())
