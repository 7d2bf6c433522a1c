import { render } from 'preact'
import { App } from './app.tsx'
import { live } from './node.ts'
import { followHistory } from './router.tsx'
import { startTheme } from './theme.ts'
import 'uplot/dist/uPlot.min.css'
import './styles/base.css'
import './styles/frame.css'
import './styles/parts.css'
import './styles/lists.css'

startTheme()
followHistory()
live.start()
const place = document.getElementById('app')
if (place !== null) render(<App />, place)
