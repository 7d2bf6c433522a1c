/*
 * The node that serves this page, and what is known of it.
 */
import { createClient } from 'evolve-node/client'
import { createLive } from './live/live.ts'

/** Asks the node. */
export const client = createClient(location.origin)

/** What is known of it. */
export const live = createLive(client)
