"""Vendor reports as the tools write them, with made-up numbers."""

CSYNTH_XML = """<?xml version="1.0" encoding="UTF-8"?>
<profile>
  <section name="General Information" level="0"/>
  <ReportVersion><Version>2023.2</Version></ReportVersion>
  <UserAssignments>
    <unit>ns</unit><ProductFamily>zynq</ProductFamily><Part>xc7z020-clg400-1</Part><TopModelName>digits_qkeras</TopModelName>
    <TargetClockPeriod>10.00</TargetClockPeriod><ClockUncertainty>2.70</ClockUncertainty>
  </UserAssignments>
  <PerformanceEstimates>
    <PipelineType>dataflow</PipelineType>
    <SummaryOfTimingAnalysis><unit>ns</unit><EstimatedClockPeriod>7.123</EstimatedClockPeriod></SummaryOfTimingAnalysis>
    <SummaryOfOverallLatency>
      <unit>clock cycles</unit><Best-caseLatency>40</Best-caseLatency><Worst-caseLatency>47</Worst-caseLatency>
      <Interval-min>11</Interval-min><Interval-max>12</Interval-max>
    </SummaryOfOverallLatency>
  </PerformanceEstimates>
  <AreaEstimates>
    <Resources><BRAM_18K>12</BRAM_18K><DSP>10</DSP><FF>9000</FF><LUT>30000</LUT><URAM>0</URAM></Resources>
    <AvailableResources><BRAM_18K>280</BRAM_18K><DSP>220</DSP><FF>106400</FF><LUT>53200</LUT><URAM>0</URAM></AvailableResources>
  </AreaEstimates>
  <ModuleInformation>
    <Module>
      <Name>dense_latency_ap_ufixed_ap_fixed_hidden_s</Name>
      <AreaEstimates><Resources><BRAM_18K>0</BRAM_18K><DSP>0</DSP><FF>7000</FF><LUT>20000</LUT></Resources></AreaEstimates>
    </Module>
  </ModuleInformation>
</profile>
"""

CSYNTH_RPT = """

================================================================
== Vivado HLS Report for 'digits_qkeras'
================================================================
* Date:           Mon Mar  2 10:00:00 2020

* Version:        2019.2 (Build 1 on Wed Nov 06 22:10:23 MST 2019)
* Project:        digits_qkeras_prj
* Solution:       solution1
* Product family: zynq
* Target device:  xc7z020-clg400-1


================================================================
== Performance Estimates
================================================================
+ Timing:
    * Summary:
    +--------+----------+----------+------------+
    |  Clock |  Target  | Estimated| Uncertainty|
    +--------+----------+----------+------------+
    |ap_clk  | 10.00 ns | 8.250 ns |   1.25 ns  |
    +--------+----------+----------+------------+

+ Latency:
    * Summary:
    +---------+---------+-----------+-----------+-----+-----+----------+
    |  Latency (cycles) |   Latency (absolute)  |  Interval | Pipeline |
    |   min   |   max   |    min    |    max    | min | max |   Type   |
    +---------+---------+-----------+-----------+-----+-----+----------+
    |       41|       48|  0.410 us |  0.480 us |   12|   13| dataflow |
    +---------+---------+-----------+-----------+-----+-----+----------+

    + Detail:
        * Instance:
        N/A

================================================================
== Utilization Estimates
================================================================
* Summary:
+---------------------+---------+-------+--------+--------+-----+
|         Name        | BRAM_18K| DSP48E|   FF   |   LUT  | URAM|
+---------------------+---------+-------+--------+--------+-----+
|DSP                  |        -|      -|       -|       -|    -|
|Instance             |       11|     10|    8000|   29000|    -|
|Register             |        -|      -|     500|       -|    -|
+---------------------+---------+-------+--------+--------+-----+
|Total                |       11|     10|    8500|   29000|    0|
+---------------------+---------+-------+--------+--------+-----+
|Available            |      280|    220|  106400|   53200|    0|
+---------------------+---------+-------+--------+--------+-----+
"""

CSYNTH_OLD = CSYNTH_RPT.replace(
    "    |  Latency (cycles) |   Latency (absolute)  |  Interval | Pipeline |\n"
    "    |   min   |   max   |    min    |    max    | min | max |   Type   |\n",
    "    |  Latency  |  Interval | Pipeline |\n    | min | max | min | max |   Type   |\n",
).replace(
    "    |       41|       48|  0.410 us |  0.480 us |   12|   13| dataflow |\n",
    "    |   41|   48|   12|   13| dataflow |\n",
)

UTILIZATION = """Copyright 1986-2020 Xilinx, Inc. All Rights Reserved.
-----------------------------------------------------------------------------------------------------------
| Tool Version : Vivado v.2020.1 (lin64) Build 2902540 Wed May 27 19:54:35 MDT 2020
| Date         : Tue Mar  3 10:00:00 2020
| Command      : report_utilization -file vivado_synth.rpt
| Design       : digits_qkeras
| Device       : 7z020clg400-1
| Design State : Synthesized
-----------------------------------------------------------------------------------------------------------

Utilization Design Information

1. Slice Logic
--------------

+----------------------------+-------+-------+-----------+-------+
|          Site Type         |  Used | Fixed | Available | Util% |
+----------------------------+-------+-------+-----------+-------+
| Slice LUTs*                | 14321 |     0 |     53200 | 26.92 |
|   LUT as Logic             | 14300 |     0 |     53200 | 26.88 |
| Slice Registers            |  6012 |     0 |    106400 |  5.65 |
+----------------------------+-------+-------+-----------+-------+

+-------------------+------+-------+-----------+-------+
|     Site Type     | Used | Fixed | Available | Util% |
+-------------------+------+-------+-----------+-------+
| Block RAM Tile    |  5.5 |     0 |       140 |  3.93 |
|   RAMB36/FIFO*    |    2 |     0 |       140 |  1.43 |
|   RAMB18          |    7 |     0 |       280 |  2.50 |
| DSPs              |    9 |     0 |       220 |  4.09 |
+-------------------+------+-------+-----------+-------+
"""

PLACED = (
    UTILIZATION.replace("Slice LUTs*", "CLB LUTs")
    .replace("Slice Registers", "CLB Registers")
    .replace("Design State : Synthesized", "Design State : Fully Placed")
)

TIMING = """Copyright 1986-2022 Xilinx, Inc. All Rights Reserved.
| Tool Version      : Vivado v.2022.2 (lin64) Build 3671981
| Design            : digits_qkeras
| Device            : 7z020-clg400
| Design State      : Routed

------------------------------------------------------------------------------------------------
| Design Timing Summary
| ---------------------
------------------------------------------------------------------------------------------------

    WNS(ns)      TNS(ns)  TNS Failing Endpoints  TNS Total Endpoints      WHS(ns)
    -------      -------  ---------------------  -------------------      -------
     -0.412      -12.500                     31                14000        0.031

| Clock Summary
| -------------

Clock   Waveform(ns)       Period(ns)      Frequency(MHz)
-----   ------------       ----------      --------------
ap_clk  {0.000 5.000}      10.000          100.000
"""

EXPORT = """
Implementation tool: Xilinx Vivado v.2020.1
Project:             digits_qkeras_prj
Solution:            solution1
Device target:       xc7z020-clg400-1
Report date:         Tue Mar 03 10:00:00 2020

#=== Post-Implementation Resource usage ===
SLICE:         4100
LUT:          13012
FF:            5900
DSP:              9
BRAM:            11
SRL:             20
#=== Final timing ===
CP required:    10.000
CP achieved post-synthesis:    8.120
CP achieved post-implementation:    9.731
Timing met
"""

COSIM = """
Report time       : Tue Mar 3 10:00:00 2020.
Solution          : solution1.
Simulation tool   : xsim.

+----------+----------+-----------------------------------------------+-----------------------------------------------+
|          |          |                    Latency                    |                    Interval                   |
+   RTL    +  Status  +-----------------------------------------------+-----------------------------------------------+
|          |          |      min      |      avg      |      max      |      min      |      avg      |      max      |
+----------+----------+-----------------------------------------------+-----------------------------------------------+
|      VHDL|        NA|             NA|             NA|             NA|             NA|             NA|             NA|
|   Verilog|      Pass|             44|             44|             45|             12|             12|             12|
+----------+----------+-----------------------------------------------+-----------------------------------------------+
"""

QUARTUS = """Fitter Status : Successful - Wed Oct  7 15:31:11 2020
Quartus Prime Version : 20.1.0 Build 711 06/05/2020 SJ Lite Edition
Revision Name : digits
Top-level Entity Name : digits
Family : Arria 10
Device : 10AX115S2F45I1SG
Timing Models : Final
Logic utilization (in ALMs) : 12,345 / 427,200 ( 3 % )
Total registers : 20123
Total block memory bits : 123,456 / 55,562,240 ( < 1 % )
Total RAM Blocks : 42 / 2,713 ( 2 % )
Total DSP Blocks : 7 / 1,518 ( < 1 % )
"""

HIERARCHY = """Copyright 1986-2023 Xilinx, Inc. All Rights Reserved.
| Tool Version : Vivado v.2023.1 (lin64) Build 3865809
| Design       : digits_qkeras
| Device       : xc7z020clg400-1
| Design State : Physopt postRoute

Utilization Design Information

1. Utilization by Hierarchy
---------------------------

+-------------------+---------------+------------+------------+---------+------+------+--------+--------+------------+
|      Instance     |     Module    | Total LUTs | Logic LUTs | LUTRAMs | SRLs |  FFs | RAMB36 | RAMB18 | DSP Blocks |
+-------------------+---------------+------------+------------+---------+------+------+--------+--------+------------+
| digits_qkeras     |         (top) |       5000 |       4900 |      90 |   10 | 3000 |      2 |      3 |          4 |
|   (digits_qkeras) |         (top) |        700 |        700 |       0 |    0 |  400 |      0 |      0 |          0 |
|   hidden_U0       |        hidden |       4300 |       4200 |      90 |   10 | 2600 |      2 |      3 |          4 |
+-------------------+---------------+------------+------------+---------+------+------+--------+--------+------------+
"""

EXPORT_XML = """<?xml version="1.0"?>
<profile>
  <RunData><RUN_TYPE>impl</RUN_TYPE><VIVADO_VERSION>v.2019.2</VIVADO_VERSION></RunData>
  <TimingReport><TargetClockPeriod>5.000</TargetClockPeriod><AchievedClockPeriod>4.410</AchievedClockPeriod></TimingReport>
  <AreaReport><Resources><SLICE>900</SLICE><LUT>3100</LUT><FF>2200</FF><DSP>8</DSP><BRAM>3</BRAM></Resources></AreaReport>
</profile>
"""

FITTER = """; Fitter Summary ;
; Fitter Status                  ; Successful - Wed Oct  7 15:31:11 2020    ;
; Quartus Prime Version          ; 20.1.0 Build 711 06/05/2020 SJ Edition   ;
; Top-level Entity Name          ; digits                                   ;
; Device                         ; 10AX115S2F45I1SG                         ;
; Logic utilization (in ALMs)    ; 9,358 / 41,910 ( 22 % )                  ;
; Total registers                ; 4350                                     ;
; Total DSP Blocks               ; 16 / 112 ( 14 % )                        ;
"""
