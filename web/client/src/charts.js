// Charts of the insight pages.
import uPlot from 'uplot';

import 'uplot/dist/uPlot.min.css';

window.uPlot = uPlot;
